"""The small coder: its tokens are lossless, its batches agree with single answers."""

import random
import re
from dataclasses import replace
from itertools import islice

import pytest
import torch
from sleep_tokens import TOKENS
from typer.testing import CliRunner

from llmlab.cli import app
from llmlab.gpt.model import IGNORE, GPTConfig
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import ABOUT, LONGEST_ANSWER, load_coder, new_coder, save_coder
from llmlab.sleep.coder.guide import Guide
from llmlab.sleep.coder.lessons import Lesson, encoded, lesson_batches
from llmlab.sleep.coder.rotary import rotations, turned
from llmlab.sleep.coder.tokens import TO, UNKNOWN, code_tokens, facts, joined, pieces
from llmlab.sleep.koans.generated import GRAMMARS
from llmlab.sleep.koans.grammar import draft, templates
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.task import Task

SHAPE = GPTConfig(len(TOKENS.names), 128, 16, 2, 2)
TASK = Task("python", "def draw(cost):\n    return total + 3\n", Verdict("test", "NameError", 2))
LONG = replace(TASK, code="def draw(cost):\n    cell = [1, 2, 3]\n    return total + 3\n")


@pytest.mark.parametrize(
    "line",
    [
        "    return 3 if point else total",
        '    body = int("ant7"[3:]) + cost',
        "        rank.append((age, 20))",
        "for i, e in a[-1:]:",
        "let mut x: Vec<i32> = vec![1, 2];",
        "def __init__(self, cell):",
        "",
    ],
)
def test_a_line_is_its_tokens(line):
    assert joined(pieces(line)) == line


def test_an_answer_is_read_as_it_was_written():
    edit = "2|    return cost + 3"
    ids = TOKENS.answer(edit, TASK.code)
    assert TOKENS.text(ids[:-1], TASK.code) == edit
    assert TOKENS.ids[UNKNOWN] not in ids


@pytest.mark.parametrize(
    "spelled", ["cost @2", "@2 cost", "@9 <to> cost", "@2 4 <to> 5", "@0 <to> cost", "<to>"]
)
def test_an_answer_that_is_no_edit_of_the_program_says_nothing(spelled):
    ids = TOKENS.encode("$v0" if word == "cost" else word for word in spelled.split())
    assert TOKENS.text(ids, TASK.code) == ""


def test_programs_that_differ_in_names_alone_are_one_prompt():
    code = TASK.code.replace("draw", "mix").replace("cost", "row").replace("total", "age")
    assert TOKENS.prompt(replace(TASK, code=code)) == TOKENS.prompt(TASK)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("draw(5) is 12, not 8", "draw(5) 12, 8"),
        ("name 'total' is not defined", "'total' "),
        ("list index out of range", ""),
        ("borrow of moved value: `cost`", ": `cost`"),
    ],
)
def test_a_question_holds_the_facts_of_a_message_without_its_prose(message, told):
    assert facts(message) == told
    verdict = replace(TASK.verdict, message=message)
    assert TOKENS.prompt(replace(TASK, verdict=verdict)) == TOKENS.prompt(
        replace(TASK, verdict=replace(verdict, message=told))
    )


def test_the_value_that_a_test_wants_changes_the_question():
    wanted_8, wanted_9 = (
        replace(TASK, verdict=Verdict("test", "wrong", 0, f"draw(5) is 12, not {wanted}"))
        for wanted in (8, 9)
    )
    assert TOKENS.prompt(wanted_8) != TOKENS.prompt(wanted_9)


def test_an_answer_may_bring_a_new_name():
    edit = "2|    size = cost"
    ids = TOKENS.answer(edit, TASK.code)
    assert TOKENS.text(ids[:-1], TASK.code) == "2|    base = cost"


def test_batches_are_no_wider_than_their_longest_lesson():
    lessons = [Lesson(task, "2|    return cost + 3") for task in (TASK, LONG)]
    widths = {
        len(tokens_T)
        for tokens_BT, _ in islice(lesson_batches(lessons, TOKENS, 1, seed=0), 16)
        for tokens_T in tokens_BT
    }
    assert widths == {
        len(TOKENS.prompt(lesson.task) + TOKENS.answer(lesson.edit, lesson.task.code)) - 1
        for lesson in lessons
    }


def drawn(coder, *tasks, seed=0):
    """What the coder says, token by token."""
    prompts = [coder.tokens.prompt(task) for task in tasks]
    guides = [Guide.to(task.code, coder.tokens) for task in tasks]
    return coder._complete(prompts, guides, torch.Generator().manual_seed(seed))


def test_padding_changes_no_answer():
    coder = new_coder("python", TOKENS, SHAPE, seed=1)
    assert drawn(coder, TASK, LONG) == [*drawn(coder, TASK), *drawn(coder, LONG)]


def test_the_cache_gives_the_logits_of_the_whole_sequence():
    model = new_coder("python", TOKENS, SHAPE, seed=1).model.eval()
    tokens_BT = torch.arange(1, 13).view(2, 6)
    cache = model.new_cache(2)
    first_BTV, rest_BTV = model(tokens_BT[:, :4], cache), model(tokens_BT[:, 4:], cache)
    torch.testing.assert_close(torch.cat([first_BTV, rest_BTV], 1), model(tokens_BT))


def test_products_of_turned_vectors_depend_on_distance_alone():
    q_K, k_K = torch.randn(2, 8)
    turn_TI = rotations(20, 8)
    near = turned(q_K, turn_TI[5]) @ turned(k_K, turn_TI[2])
    far = turned(q_K, turn_TI[15]) @ turned(k_K, turn_TI[12])
    torch.testing.assert_close(near, far)


def test_a_head_of_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="turn pairs"):
        rotations(20, 7)


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_repair_of_the_grammar_fits_an_answer(language):
    tokens, rng = code_tokens(language), random.Random(0)
    for template in templates(GRAMMARS[language]):
        found = draft(template, GRAMMARS[language], rng)
        edit = difference(found.start, found.solution).text()
        assert len(tokens.answer(edit, found.start)) <= LONGEST_ANSWER[language], template.name


@pytest.mark.parametrize(("language", "longest"), LONGEST_ANSWER.items())
def test_a_coder_that_does_not_come_to_an_end_is_stopped(language, longest):
    coder = replace(new_coder("python", TOKENS, SHAPE, 1), language=language, temperature=1.0)
    assert max(map(len, drawn(coder, *[TASK] * 20))) == longest


def test_a_program_that_is_too_long_is_a_failure():
    task = replace(TASK, code="cost = 1\n" * 60)
    assert "too long" in new_coder("python", TOKENS, SHAPE, 0).answer([task], 0)[0].failure


def test_draws_differ_by_seed_and_repeat():
    coder = replace(new_coder("python", TOKENS, SHAPE, 0), temperature=1.0)
    first, again, other = (drawn(coder, TASK, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_asked_again_a_coder_draws_another_answer():
    coder = new_coder("python", TOKENS, SHAPE, 0)
    said = [[each.tokens for each in coder.answer([TASK, LONG] * 20, turn)] for turn in (0, 1)]
    assert said[0][::2] == said[0][:1] * 20  # one answer to one question
    assert len({*said[1]}) > 2


def test_a_coder_comes_back_from_its_folder(tmp_path):
    coder = new_coder("python", TOKENS, SHAPE, 0)
    save_coder(coder, tmp_path)
    assert drawn(load_coder(tmp_path), TASK) == drawn(coder, TASK)


def test_a_folder_without_a_coder_is_said(tmp_path):
    with pytest.raises(LabError, match="holds no coder"):
        load_coder(tmp_path)


def test_the_command_that_makes_a_coder_runs_as_it_is_said(tmp_path):
    with pytest.raises(LabError) as said:
        load_coder(tmp_path)
    (command,) = re.findall("`llmlab (.*?)`", str(said.value))
    run = CliRunner().invoke(app, [*command.split(), "--dry-run"])
    assert "sleep_base" in run.output
    assert run.exit_code == 0, run.output


def test_a_coder_from_before_spans_is_refused(tmp_path):
    """Each of its answers would be no edit."""
    save_coder(new_coder("python", TOKENS, SHAPE, 0), tmp_path)
    about = (tmp_path / ABOUT).read_text(encoding="utf-8")
    (tmp_path / ABOUT).write_text(about.replace(TO, "<other>"), encoding="utf-8")
    with pytest.raises(LabError, match="lack those that every coder has"):
        load_coder(tmp_path)


def test_only_the_edit_counts_in_a_lesson():
    targets_NT = encoded([Lesson(TASK, "2|    return cost + 3")], TOKENS).targets_NT
    counted = targets_NT[targets_NT != IGNORE].tolist()
    assert counted == TOKENS.answer("2|    return cost + 3", TASK.code)
