"""Episodes: appended whole, whatever the disk and the last crash did."""

import os

import pytest
from sleep_episodes import episode_with

from llmlab.method.errors import LabError
from llmlab.sleep.repair.episodes import EpisodeFile, Turn, episode_id


def episode(name="k", outcome="green"):
    return episode_with(
        id=episode_id("r", name, "x = 1\n"),
        koan=name,
        start="x = 1\n",
        solution="x = 2\n",
        turns=(Turn(answer="1|x = 2", outcome=outcome, code="x = 2\n"),),
    )


def test_what_was_appended_is_read_again(tmp_path):
    file = EpisodeFile(tmp_path / "new" / "e.jsonl")
    file.append(episode("a"))
    file.append(episode("b", "test"))
    assert file.read() == [episode("a"), episode("b", "test")]


@pytest.mark.parametrize("torn", [b'{"id": "a', b"\xff\xfe", b"{" * 70_000])
def test_a_torn_last_line_is_passed_over_and_cut_off(tmp_path, torn):
    file = EpisodeFile(tmp_path / "e.jsonl")
    file.append(episode("a"))
    with file.path.open("ab") as handle:
        handle.write(torn)
    assert file.read() == [episode("a")]
    file.append(episode("b"))
    assert file.read() == [episode("a"), episode("b")]


def test_a_file_of_one_torn_line_begins_anew(tmp_path):
    file = EpisodeFile(tmp_path / "e.jsonl")
    file.path.write_bytes(b'{"schema_ver')
    file.append(episode())
    assert file.read() == [episode()]


def test_a_last_episode_without_the_end_of_its_line_counts(tmp_path):
    file = EpisodeFile(tmp_path / "e.jsonl")
    file.append(episode("a"))
    file.path.write_bytes(file.path.read_bytes().rstrip(b"\n"))
    assert file.read() == [episode("a")]
    file.append(episode("b"))
    assert file.read() == [episode("a"), episode("b")]


def test_another_file_without_line_ends_is_refused(tmp_path):
    file = EpisodeFile(tmp_path / "trajectory.json")
    file.path.write_bytes(b'[{"run": "a"}]')
    with pytest.raises(LabError, match="holds no episode: name the file of episodes"):
        file.read()


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    file = EpisodeFile(tmp_path / "e.jsonl")
    file.path.write_text("nonsense\n", encoding="utf-8")
    file.append(episode())
    with pytest.raises(LabError, match=r"line 1 of .* is not an episode"):
        file.read()


def test_a_full_disk_leaves_what_there_was(tmp_path, monkeypatch):
    file = EpisodeFile(tmp_path / "e.jsonl")
    file.append(episode("a"))

    def full(descriptor, data):
        os.write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llmlab.sleep.repair.episodes._write", full)
    with pytest.raises(LabError, match="No space left"):
        file.append(episode("b"))
    monkeypatch.undo()
    assert file.path.read_bytes().count(b"\n") == 1
    assert file.read() == [episode("a")]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(LabError, match=r"there is no file .*none\.jsonl: name"):
        EpisodeFile(tmp_path / "none.jsonl").read()
