import math
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from llmlab.gpt.alarms import Alarm
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.model import GPT
from llmlab.gpt.pretraining import Pretraining, PretrainingRecipe, Validation, mean_loss
from llmlab.gpt.saved.checkpoints import load_checkpoint, save_checkpoint
from llmlab.gpt.text.encoded_corpus import each_character, named_corpus, prepare
from llmlab.gpt.training import Point
from llmlab.method.errors import LabError


def started(session: PretrainingSession, **changes: object) -> Pretraining:
    recipe: PretrainingRecipe = replace(session.recipe, **changes)
    return Pretraining(recipe, session.encoded.tokens)


def steps(run: Pretraining, kind: type) -> list[int]:
    return [event.step for event in run.events() if isinstance(event, kind)]


def test_every_step_is_a_point(session: PretrainingSession) -> None:
    assert steps(started(session), Point) == list(range(12))


@pytest.mark.parametrize(("every", "expected"), [(4, [0, 4, 8, 12]), (5, [0, 5, 10, 12])])
def test_a_validation_comes_first_last_and_between(
    every: int, expected: list[int], session: PretrainingSession
) -> None:
    assert steps(started(session, validate_every=every), Validation) == expected


def test_a_run_is_a_function_of_its_seed(session: PretrainingSession) -> None:
    first, again, other = (list(started(session, seed=seed).events()) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_run_learns(session: PretrainingSession) -> None:
    train = replace(session.recipe.train, steps=60)
    losses = [e.loss for e in started(session, train=train).events() if isinstance(e, Validation)]
    assert losses[0] == pytest.approx(math.log(session.recipe.shape.vocab_size), abs=0.2)
    assert losses[-1] < losses[0] - 2


def test_a_run_that_overfits_says_so(session: PretrainingSession, tmp_path: Path) -> None:
    """Of random letters nothing can be learned but those that were read."""
    noise = tmp_path / "noise.txt"
    noise.write_text("".join(random.Random(0).choices("abcdefgh", k=120)))
    encoded = prepare(named_corpus(str(noise)), each_character)
    shape = replace(session.recipe.shape, vocab_size=encoded.tokenizer.vocab_size, dropout=0.0)
    train = replace(session.recipe.train, steps=250)
    recipe = replace(session.recipe, shape=shape, train=train, validation_share=0.5)
    run = Pretraining(replace(recipe, validate_every=10), encoded.tokens)
    alarms = [event for event in run.events() if isinstance(event, Alarm)]
    assert [alarm.kind for alarm in alarms] == ["over-fitting"]


def test_a_run_that_goes_on_remembers_what_its_alarms_saw(
    session: PretrainingSession, tmp_path: Path
) -> None:
    run = started(session, validate_every=3)
    at_half = next(e for e in run.events() if isinstance(e, Validation) and e.step == 6)
    weights, training = run.state()
    saved = save_checkpoint(
        tmp_path, weights=weights, training=training, shape=asdict(run.recipe.shape), run={}
    )
    resumed = Pretraining(run.recipe, session.encoded.tokens, resumed=load_checkpoint(saved))
    assert resumed.state()[1]["alarms"] == training["alarms"]
    assert len(training["alarms"]["spikes"]["recent"]) == at_half.step
    first = next(resumed.events())
    assert first == at_half
    assert resumed.state()[1]["alarms"] == training["alarms"]  # seen once


def test_the_point_that_is_not_finite_is_the_last_event(session: PretrainingSession) -> None:
    train = replace(session.recipe.train, learning_rate=1e30)
    *_, last = started(session, train=train).events()
    assert isinstance(last, Point)
    assert not last.is_finite


def test_validation_draws_no_random_number(session: PretrainingSession) -> None:
    run = started(session)
    before = torch.get_rng_state()
    run.validate()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_mean_loss_is_that_of_all_windows(session: PretrainingSession) -> None:
    torch.manual_seed(0)
    model = GPT(session.recipe.shape)
    _, span = session.encoded.tokens.split(0.1)
    whole, by_one = (
        mean_loss(model, span, 8, torch.device("cpu"), batch_size=size) for size in (32, 1)
    )
    assert whole == pytest.approx(by_one, rel=1e-6)
    assert mean_loss(model, span, 8, torch.device("cpu"), n_tokens=1) != whole


def test_bits_per_byte_do_not_depend_on_the_tokens(session: PretrainingSession) -> None:
    validation = started(session).validate()
    _, span = session.encoded.tokens.split(0.1)
    nats = validation.loss * span.n_tokens
    assert validation.bits_per_byte == pytest.approx(nats / math.log(2) / span.n_bytes)


def test_a_part_shorter_than_the_context_is_refused(session: PretrainingSession) -> None:
    with pytest.raises(LabError, match="validation part of program"):
        started(session, validation_share=0.001)
    with pytest.raises(LabError, match="training part of program"):
        started(session, validation_share=0.999)
