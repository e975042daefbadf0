"""`llmlab predict` as a user calls it."""

import json
import os
import time
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from llmlab.cluster.predict_command import app
from llmlab.method.errors import LabError

PLAN = 'model = "Llama 3.1 70B"\ngpus = 64\nglobal_batch = 256\ntp = 4\npp = 4\n'


def predicted(*args: object) -> dict:
    result = CliRunner().invoke(app, [*map(str, args), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.output)


def refused(*args: object) -> str:
    """The one sentence with which the command refuses."""
    result = CliRunner().invoke(app, [*map(str, args)])
    assert isinstance(result.exception, LabError)
    assert not result.output
    return str(result.exception)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN, encoding="utf-8")
    return path


def test_a_plan_is_predicted_with_shares_that_sum_to_one(plan: Path) -> None:
    found = predicted("--plan", plan)
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert sum(found["parts_s"].values()) == pytest.approx(found["step_time_s"])
    assert found["plan"]["dp"] == 4
    assert found["fits"]


def test_a_plan_in_json_says_the_same_as_one_in_toml(plan: Path) -> None:
    other = plan.with_suffix(".json")
    fields = {"model": "Llama 3.1 70B", "gpus": 64, "global_batch": 256, "tp": 4, "pp": 4}
    other.write_text(json.dumps(fields), encoding="utf-8")
    assert predicted("--plan", other) == predicted("--plan", plan)


def test_recomputation_stops_early_in_pytorch_unless_the_user_says_otherwise() -> None:
    options = ("--model", "Llama 3.1 8B", "--recompute", "full")
    pytorch = (*options, "--software", "compiled")
    assert predicted(*pytorch) == predicted(*pytorch, "--early-stop")
    stopped, whole = (
        predicted(*pytorch, *more)["step_time_s"] for more in ((), ("--no-early-stop",))
    )
    assert stopped < whole
    assert predicted(*options) == predicted(*options, "--no-early-stop")


def test_plans_stand_side_by_side(plan: Path) -> None:
    other = plan.with_name("deep.toml")
    other.write_text(PLAN.replace("pp = 4", "pp = 8"), encoding="utf-8")
    found = predicted("--compare", "--plan", plan, "--plan", other)
    assert list(found) == ["plan", "deep"]
    assert found["deep"]["parts_s"]["bubble"] > found["plan"]["parts_s"]["bubble"]


def test_plans_of_one_name_in_two_folders_stand_side_by_side(plan: Path) -> None:
    other = plan.parent / "deep" / plan.name
    other.parent.mkdir()
    other.write_text(PLAN.replace("pp = 4", "pp = 8"), encoding="utf-8")
    assert list(predicted("--compare", "--plan", plan, "--plan", other)) == ["plan", "deep/plan"]


@pytest.mark.parametrize(
    ("options", "unused"),
    [
        (("--search", 8, "--gpus", 16), "--search does not use --gpus"),
        (("--search", 8, "--tp", 2), "--search does not use --tp"),
        (("--search", 8, "--tokens", "1T"), "--search does not use --tokens"),
        (("--compare", "--batch", 8), "--compare does not use --batch"),
        (("--score", "runs.csv", "--search", 8), "--score does not use --model"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(options: tuple, unused: str) -> None:
    assert unused in refused("--model", "7B", *options)


def test_plans_side_by_side_are_readable_in_80_columns(plan: Path) -> None:
    other = plan.with_name("mixture.toml")
    text = PLAN.replace("Llama 3.1 70B", "Mixtral 8x22B") + "cp = 2\nep = 2\ninterleave = 2\n"
    other.write_text(text, encoding="utf-8")
    options = ["--compare", "--plan", str(plan), "--plan", str(other)]
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, options).output
    rows = [line for line in shown.splitlines() if line.startswith(("plan ", "mixt"))]
    assert len(rows) == 3
    assert "MFU" in rows[0]
    assert all("%" in row for row in rows[1:])
    assert "…" not in shown


def test_a_terminal_without_utf8_gets_bars_in_ascii(plan: Path) -> None:
    shown = CliRunner(charset="ascii").invoke(app, ["--plan", str(plan)]).output
    assert "####" in shown


def test_the_best_layout_of_1024_gpus_is_found_in_ten_seconds_of_compute() -> None:
    began = time.process_time()
    found = predicted("--search", 1024, "--model", "Llama 3.1 70B", "--batch", 1024)
    assert time.process_time() - began < 10
    seconds = [one["step_time_s"] for one in found["best"]]
    assert seconds == sorted(seconds)
    assert all(one["fits"] for one in found["best"])
    assert found["fitting"] < found["tried"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("gpus = 60", "does not divide 60 GPUs"),
        ("gpus = 0", "gpus is 0"),
        ("gpus = -8", "gpus is -8"),
        ('gpus = 64\ngpu = "H1000"', 'no GPU "H1000"'),
        ('gpus = 64\nprecison = "fp8"', 'unknown field "precison"'),
        ('gpus = 64\nrecompute = "some"', "recompute is 'some'"),
        ('gpus = 64\n[cluster]\nnetwork = "25 apples"', "is not a quantity"),
    ],
)
def test_a_wrong_field_is_named(plan: Path, change: str, said: str) -> None:
    lines = [line for line in PLAN.splitlines() if not line.startswith("gpus")]
    plan.write_text("\n".join([*lines, change]), encoding="utf-8")
    assert said in refused("--plan", plan)


@pytest.mark.parametrize("option", ["--batch", "--micro-batch", "--tp"])
def test_an_option_beside_a_plan_is_named_as_it_was_given(plan: Path, option: str) -> None:
    assert f"so {option} cannot be given" in refused("--plan", plan, option, 8)


def test_a_missing_size_is_named(plan: Path) -> None:
    plan.write_text('model = "7B"\ngpus = 8\n', encoding="utf-8")
    assert "lacks the field global_batch" in refused("--plan", plan)


def test_what_does_not_fit_says_by_how_much_and_what_does(plan: Path) -> None:
    said = refused("--model", "Llama 3.1 70B", "--gpus", 64, "--batch", 64)
    assert "GB more than it has" in said
    assert "the nearest that fits has" in said


def test_an_unknown_model_and_a_lone_comparison_are_refused(plan: Path) -> None:
    assert 'no model "Lama' in refused("--model", "Lama 3.1 70B")
    assert "needs at least two plans" in refused("--compare", "--plan", plan)
    assert "add --compare" in refused("--plan", plan, "--plan", plan)
    assert "no plan to predict" in refused()


HEADER = "source,model,layers,d_model,heads,seq_len_tokens,global_batch_sequences,gpus,gpu_type"


def test_rows_that_lack_something_are_counted_and_named(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    rows = [
        "here,GPT,24,2048,16,2048,64,8,A100-80GB,2.0",
        "here,GPT,24,2048,16,2048,64,8,A100-80GB,",
        "here,GPT,24,2048,16,,64,8,A100-80GB,2.0",
        "here,GPT,24,2048,16,2048,64,8,Abacus,2.0",
        "here,GPT,24,2048,16,2048,64,minus,A100-80GB,2.0",
    ]
    table.write_text("\n".join([f"{HEADER},step_time_s", *rows]) + "\n", encoding="utf-8")
    found = predicted("--score", table)
    assert found["overall"]["rows"] == 1
    assert [one["row"].split(" (")[0] for one in found["skipped"]] == [
        f"line {line}" for line in (3, 4, 5, 6)
    ]
    assert {"mean_absolute_error", "median_absolute_error", "bias"} <= set(found["overall"])


def test_a_precision_that_tells_no_bits_is_not_taken_for_16(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    precisions = ("bf16-mixed", "NVFP4", "", "int8", "e4m3", "fp32")
    rows = [f"here,GPT,24,2048,16,2048,64,8,A100-80GB,2.0,{one}" for one in precisions]
    header = f"{HEADER},step_time_s,precision"
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    found = predicted("--score", table)
    assert found["overall"]["rows"] == 3
    assert found["skipped"][0]["reason"] == "precision int8 is not one that we know"


def test_a_score_file_that_is_none_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    assert "cannot read" in refused("--score", table)
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    assert "has no column model, gpus" in refused("--score", table)
    table.write_text(f"{HEADER}\nhere,GPT,,,,2048,64,8,A100-80GB\n", encoding="utf-8")
    assert "no row of" in refused("--score", table)
    table.write_text(f"{HEADER}\n", encoding="utf-8")
    assert "has no rows" in refused("--score", table)


def test_a_score_file_may_be_a_pipe(tmp_path: Path) -> None:
    row = "here,GPT,24,2048,16,2048,64,8,A100-80GB,2.0"
    table = tmp_path / "pipe"
    os.mkfifo(table)
    writer = Thread(target=table.write_text, args=(f"{HEADER},step_time_s\n{row}\n",))
    writer.start()
    assert predicted("--score", table)["overall"]["rows"] == 1
    writer.join()


def test_brackets_in_names_are_printed_as_they_are(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    rows = [f"{one},GPT,24,2048,16,2048,64,8,A100-80GB,2.0" for one in ("[red]x", "[/bold]")]
    rows.append("[/b],GPT,24,2048,16,2048,64,8,Z9,2.0")
    table.write_text("\n".join([f"{HEADER},step_time_s", *rows]) + "\n", encoding="utf-8")
    printed = CliRunner().invoke(app, ["--score", str(table)], catch_exceptions=False).output
    assert all(one in printed for one in ("[red]x", "[/bold]", "[/b]"))


def test_a_model_in_a_plan_may_have_brackets_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "[bold].toml"
    sizes = '[model]\nname = "[/b]"\nlayers = 4\nd_model = 256\nheads = 4\n'
    path.write_text(f"gpus = 8\nglobal_batch = 32\n{sizes}", encoding="utf-8")
    for options in (("--plan", path), ("--search", 8, "--plan", path)):
        found = CliRunner().invoke(app, [*map(str, options)], catch_exceptions=False)
        assert "[/b]" in found.output
    twice = ("--compare", "--plan", str(path), "--plan", str(path))
    assert "[bold]" in CliRunner().invoke(app, twice, catch_exceptions=False).output
