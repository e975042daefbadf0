import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmlab.gpt.command.opening import describe, open_session
from llmlab.gpt.command.options import TrainOptions
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.configs import preset
from llmlab.gpt.distributed import Workers
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.gpt.training import best_precision
from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder

CPU = torch.device("cpu")


@pytest.fixture
def options(text_file: Path) -> TrainOptions:
    return TrainOptions(corpus=str(text_file), context=8)


def opened(options: TrainOptions, folder: Path | None = None) -> PretrainingSession:
    with open_session(options, folder, Workers(0, 1, CPU)) as session:
        return session


def test_a_configuration_is_taken_as_it_is(options: TrainOptions) -> None:
    session = opened(options)
    micro = preset("micro")
    vocab_size = session.encoded.tokenizer.vocab_size
    assert vocab_size <= micro.shape.vocab_size
    assert session.recipe.shape == replace(micro.shape, vocab_size=vocab_size, context=8)
    assert session.recipe.batch_size == micro.batch_size
    assert session.recipe.train.learning_rate == micro.learning_rate
    assert session.recipe.train.precision == best_precision(CPU)
    assert session.folder == Path("runs/micro-program.txt-seed0")


def test_what_is_asked_for_takes_its_place(options: TrainOptions) -> None:
    asked = replace(
        options,
        batch_size=3,
        learning_rate=0.5,
        dropout=0.2,
        seed=7,
        precision="bfloat16",
        accumulate=2,
        compiled=True,
        steps=11,
    )
    recipe = opened(asked, Path("elsewhere")).recipe
    assert (recipe.batch_size, recipe.seed, recipe.compiled) == (3, 7, True)
    assert recipe.shape.dropout == 0.2
    train = recipe.train
    assert (train.steps, train.learning_rate, train.accumulate) == (11, 0.5, 2)
    assert train.precision == "bfloat16"


def test_epochs_become_steps(options: TrainOptions) -> None:
    one, three = (opened(replace(options, epochs=epochs)).recipe.train.steps for epochs in (1, 3))
    n_tokens = len(opened(options).encoded.tokens.ids)
    assert one == pytest.approx(0.9 * n_tokens / 8 / 16, abs=1)
    assert three == pytest.approx(3 * one, abs=3)


def test_tokenizers(options: TrainOptions, tmp_path: Path) -> None:
    pairs: TextTokenizer = opened(options).encoded.tokenizer
    letters = opened(replace(options, tokenizer="characters")).encoded.tokenizer
    assert letters.vocab_size < pairs.vocab_size + 256
    assert len(letters.encode("return")) > len(pairs.encode("return"))
    pairs.save(tmp_path / "pairs.json")
    again = opened(replace(options, tokenizer=str(tmp_path / "pairs.json")))
    assert again.encoded.tokenizer.digest == pairs.digest


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"corpus": ""}, "--corpus is empty: name one of stdlib"),
        ({"epochs": 0}, "0 epochs train nothing"),
        ({"epochs": math.nan}, "nan epochs train nothing"),
        ({"learning_rate": -1.0}, "--learning-rate -1 learns nothing"),
        ({"learning_rate": math.nan}, "--learning-rate nan learns nothing"),
        ({"accumulate": 99}, "cannot be computed in 99 parts"),
        ({"validation_share": 0.0}, "validation part of program.txt has 0 tokens"),
    ],
)
def test_what_cannot_be_is_refused(
    change: dict[str, float | str], sentence: str, options: TrainOptions
) -> None:
    with pytest.raises(LabError, match=sentence):
        opened(replace(options, **change))


def test_a_taken_folder_is_refused_before_the_text_is_cut(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "llmlab.gpt.command.opening.open_texts", lambda name: pytest.fail("was cut")
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(LabError, match="run already holds a run or other files"):
        opened(options, tmp_path / "run")
    with (
        pytest.raises(LabError, match="run holds no checkpoint"),
        open_session(options, tmp_path / "run", Workers(0, 1, CPU), resume=True),
    ):
        pass


def test_two_runs_do_not_share_a_folder(options: TrainOptions, tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run").held(),
        pytest.raises(LabError, match=r"another process is writing to .*run: wait until it ends"),
    ):
        opened(options, tmp_path / "run")


def test_the_description_names_model_and_text(options: TrainOptions) -> None:
    session = opened(replace(options, steps=1000))
    model, text = describe(session, options.corpus).splitlines()
    assert "4 layers, 4 heads, d_model 128, context 8" in model
    assert "untied" in model
    assert text.startswith("program.txt: 3,480 bytes, ")
    assert "1,000 steps of 16 sequences" in text


def test_what_is_left_out_of_a_folder_is_told(options: TrainOptions, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    shutil.copy(options.corpus, folder)
    (folder / "empty.txt").touch()
    os.mkfifo(folder / "pipe\n")
    *_, told = describe(opened(replace(options, corpus=str(folder))), str(folder)).splitlines()
    assert sorted(told.removeprefix("left out: ").split(", ")) == [
        "empty.txt (empty)",
        r"pipe\n (not a regular file)",
    ]


def test_a_folder_with_the_name_of_a_corpus_is_not_taken_for_it(
    options: TrainOptions, tmp_path: Path
) -> None:
    folder = tmp_path / "stdlib"
    folder.mkdir()
    shutil.copy(options.corpus, folder)
    described = describe(opened(replace(options, corpus=str(folder))), str(folder))
    assert "licence" not in described
