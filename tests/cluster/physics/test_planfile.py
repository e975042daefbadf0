"""Plans as files: whatever one holds, it is a table or one sentence."""

import json
from pathlib import Path

import pytest

from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.planfile import Wires, read_plan, read_table
from llmlab.method.errors import LabError

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.toml", b'\xef\xbb\xbfmodel = "a"\r\n'),
        ("plan.json", b'\xef\xbb\xbf{"model": "a"}'),
        ("plan.toml", b'model = "a"'),
    ],
)
def test_marks_and_line_ends_of_editors_change_nothing(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_table(tmp_path / name) == {"model": "a"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("plan.toml", f"model = {DEEP}", "plan.toml is not valid TOML: nested too deep"),
        ("plan.toml", "tokens = " + "9" * 6000, "plan.toml is not valid TOML"),
        ("plan.json", DEEP, "plan.json is not valid JSON"),
        ("plan.json", "[]", "plan.json holds no table of fields"),
        ("plan.json", "null", "plan.json holds no table of fields"),
    ],
)
def test_what_is_no_plan_is_one_sentence(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=says) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["50 GB/s", "50GB/s", "+5e10 byte/second", "0.4 Tbit / s"])
def test_quantities_of_a_cluster_are_read_in_any_unit(text: str) -> None:
    assert Wires(network=text).changed(accelerator("H100")).network == pytest.approx(50e9)


@pytest.mark.parametrize(
    "text", ["25 GB/{", "9**9**9 GB/s", "(" * 99, "1e9999 B/s", "\n", "9" * 999]
)
def test_what_is_no_quantity_is_one_short_sentence(text: str, tmp_path: Path) -> None:
    plan = {"model": "7B", "gpus": 8, "global_batch": 64, "cluster": {"network": text}}
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(LabError, match='"80 GB" or "25 GB/s"; write it in') as caught:
        read_plan(tmp_path / "plan.json")
    assert len(str(caught.value)) < 400
