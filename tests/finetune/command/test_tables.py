from dataclasses import replace

import pytest

from llmlab.finetune.command.console import show


def test_forgetting_much_without_replay_brings_a_hint(brief_session, capsys) -> None:
    session = brief_session()
    *events, finished = session.events()
    forgot = replace(finished, before=replace(finished.before, suites={"math": 1.0}))
    forgot = replace(forgot, after=replace(finished.after, suites={"math": 0.5}))
    show([*events, forgot], session)
    said = "Forgetting: 50.0 points, mean of the four"
    assert f"{said}; --replay 0.2 rehearses what it knew." in capsys.readouterr().out
    replayed = replace(session, config=replace(session.config, n_replayed=1))
    show([*events, forgot], replayed)
    assert f"{said}.\n" in capsys.readouterr().out


@pytest.mark.parametrize(("known", "hinted"), [(0.1, True), (0.9, False)])
def test_a_base_that_knew_little_brings_a_hint(
    known: float, hinted: bool, brief_session, capsys
) -> None:
    session = brief_session()
    *events, finished = session.events()
    suites = dict.fromkeys(finished.before.suites, known)
    show([*events, replace(finished, before=replace(finished.before, suites=suites))], session)
    assert ("llmlab run base_model --scale laptop" in capsys.readouterr().out) == hinted
