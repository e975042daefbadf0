from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers
from llmlab.gpt.formats.exchange import export_run, import_run, usual_folder
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved.checkpoints import load_checkpoint, save_checkpoint
from llmlab.gpt.saved.saved_runs import open_model
from llmlab.gpt.text.text_tokenizers import train_bpe
from llmlab.method.errors import LabError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with an untrained model."""
    tokenizer = train_bpe(["the cat sat on the mat, the cat sat"], 270)
    torch.manual_seed(0)
    model = GPT(GPTConfig(tokenizer.vocab_size, context=16, d_model=16, n_layers=2, n_heads=2))
    tokenizer.save(tmp_path / "run" / "tokenizer.json")
    save_checkpoint(
        tmp_path / "run" / "checkpoints",
        weights=model.state_dict(),
        training={"step": 3},
        shape=asdict(model.config),
        run={},
    )
    return tmp_path / "run"


def test_a_run_goes_out_and_comes_back_the_same(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "exported")
    import_run(str(tmp_path / "exported"), tmp_path / "back")
    (before, tokenizer), (after, same) = open_model(run), open_model(tmp_path / "back")
    assert same.encode("the cat") == tokenizer.encode("the cat")
    tokens_BT = torch.tensor([tokenizer.encode("the cat sat")])
    torch.testing.assert_close(after(tokens_BT), before(tokens_BT), rtol=0, atol=1e-4)
    assert load_checkpoint(tmp_path / "back").step == 0


def test_an_import_onto_a_full_disk_leaves_nothing(run: Path, tmp_path: Path, largest_file) -> None:
    export_run(run, tmp_path / "exported")
    with (
        largest_file(2000),
        pytest.raises(LabError, match=r"^cannot write .*then repeat the command"),
    ):
        import_run(str(tmp_path / "exported"), tmp_path / "back")
    assert [path.name for path in tmp_path.iterdir() if path != run] == ["exported"]


def test_an_import_cannot_be_resumed(
    run: Path, tmp_path: Path, session: PretrainingSession
) -> None:
    export_run(run, tmp_path / "exported")
    import_run(str(tmp_path / "exported"), tmp_path / "back")
    with pytest.raises(LabError, match="holds a model that was imported and not trained by"):
        next(replace(session, folder=tmp_path / "back").events(Workers.alone(), resume=True))


def test_an_import_never_replaces_a_run(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "exported")
    with pytest.raises(LabError, match="exists already: name a new"):
        import_run(str(tmp_path / "exported"), run)
    assert load_checkpoint(run).step == 3


def test_a_run_is_named_after_the_model_also_where_that_is_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    names = {
        source: usual_folder(source) for source in (".", str(folder), "openai/gpt2", "../mine")
    }
    assert names == {
        ".": Path("runs/mine"),
        str(folder): Path("runs/mine"),
        "openai/gpt2": Path("runs/gpt2"),
        "../mine": Path("runs/mine"),
    }
    with pytest.raises(LabError, match="has no name"):
        usual_folder("")
