"""The explorer of the book predicts what `llmlab predict` predicts."""

import json
import random
import shutil
import subprocess
from dataclasses import asdict
from typing import get_args

import pytest

from llmlab.book.views import read_view, widgets
from llmlab.cluster.explorer import accelerator_json, model_json, plan_json, step_view
from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.physics.hardware import accelerators
from llmlab.cluster.physics.plan import Plan, Recompute, Sharding, Software, check
from llmlab.cluster.physics.prediction import predict
from llmlab.cluster.physics.shapes import SHAPES, shape_named
from llmlab.method.errors import LabError

FORMULAS = widgets.ASSETS / "shared" / "step_formulas.js"
OPENING = Plan(shape_named("Llama 3.1 8B"), accelerators()["H100"], 8, 4096, 32, tp=2)


def random_plan(dice: random.Random) -> Plan:
    """Any plan, most of which can be laid out."""
    tp, pp, cp = dice.choice((1, 2, 8)), dice.choice((1, 2, 7, 8)), dice.choice((1, 1, 4))
    gpus = tp * pp * cp * dice.choice((1, 3, 16, 64))
    shape, micro_batch = dice.choice(SHAPES), dice.choice((1, 2))
    return Plan(
        shape=shape,
        accelerator=dice.choice(list(accelerators().values())),
        gpus=gpus + (dice.random() < 0.05),
        seq_len=dice.choice((1000, 2048, 8192)),
        global_batch=gpus // (tp * pp * cp) * micro_batch * dice.choice((1, 2, 9)),
        micro_batch=micro_batch,
        tp=tp,
        pp=pp,
        cp=cp,
        ep=dice.choice((1, 2, 8)) if shape.experts else dice.choice((1,) * 9 + (2,)),
        interleave=dice.choice((1, 2, 4)),
        sharding=dice.choice(get_args(Sharding)),
        recompute=dice.choice(get_args(Recompute)),
        early_stop=dice.random() < 0.5,
        bits=dice.choice((16, 8, 4)),
        sequence_parallel=dice.random() < 0.5,
        async_tensor=dice.random() < 0.5,
        adapters=dice.random() < 0.3,
        software=dice.choice(get_args(Software)),
    )


def by_javascript(plans: list[Plan]) -> list[dict]:
    """What the formulas of the page say of each plan."""
    cases = [
        plan_json(plan)
        | {"model": model_json(plan.shape), "gpu": accelerator_json(plan.accelerator)}
        for plan in plans
    ]
    script = (
        f"{FORMULAS.read_text(encoding='utf-8')}\n"
        f"const [cases, c] = {json.dumps([cases, asdict(calibrated())])};\n"
        "const { mistake, predict } = stepFormulas;\n"
        "const said = (plan) => ({ mistake: mistake(plan), ...predict(plan, c) });\n"
        "console.log(JSON.stringify(cases.map(said)));\n"
    )
    done = subprocess.run(
        ["node", "-"], input=script, capture_output=True, encoding="utf-8", check=True
    )
    return json.loads(done.stdout)


def is_refused(plan: Plan) -> bool:
    try:
        check(plan)
    except LabError:
        return True
    return False


@pytest.mark.skipif(not shutil.which("node"), reason="runs the page's formulas in Node.js")
def test_the_page_predicts_what_the_command_predicts() -> None:
    dice = random.Random(0)
    plans = [random_plan(dice) for _ in range(150)]
    refused = [is_refused(plan) for plan in plans]
    found = by_javascript(plans)
    assert [one["mistake"] is not None for one in found] == refused
    assert 20 < sum(refused) < 120
    for plan, one, wrong in zip(plans, found, refused, strict=True):
        if wrong:
            continue
        here = predict(plan).as_json()
        assert one["parts"] == pytest.approx(here["parts_s"], rel=1e-9)
        memory = {**one["memory"], "total": one["bytes"]}
        assert memory == pytest.approx(here["memory_bytes"], rel=1e-9)
        assert one["seconds"] == pytest.approx(here["step_time_s"], rel=1e-9)
        assert one["tokens_per_s_per_gpu"] == pytest.approx(here["tokens_per_s_per_gpu"], rel=1e-9)
        assert one["mfu"] == pytest.approx(here["mfu_fraction"], rel=1e-9)


def test_the_view_opens_on_the_plan_that_was_predicted() -> None:
    found = predict(OPENING)
    raw = step_view(found, SHAPES, list(accelerators().values()), calibrated())
    view = read_view(raw, "the explorer")
    assert view.seconds == pytest.approx(found.seconds)
    assert sum(part.size for part in view.memory) == pytest.approx(found.memory.total)


def test_a_view_has_the_model_that_its_plan_names() -> None:
    raw = step_view(predict(OPENING), SHAPES[:1], list(accelerators().values()), calibrated())
    with pytest.raises(LabError, match="the plan's model is not among those listed"):
        read_view(raw, "the explorer")
