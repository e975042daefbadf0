import copy
import itertools
from collections.abc import Iterator

import pytest
import torch

from llmlab.gpt.model import GPT, IGNORE, GPTConfig
from llmlab.gpt.training import (
    Batch,
    TrainConfig,
    Trainer,
    best_precision,
    evaluate,
    learning_rate_at,
    make_optimizer,
    train,
)

CONFIG = GPTConfig(vocab_size=7, context=6, d_model=16, n_layers=1, n_heads=2)


def new_model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG)


def counting_batches() -> Iterator[Batch]:
    """0, 1, 2, … modulo 7, from a random start: learned by looking at one token."""
    generator = torch.Generator().manual_seed(0)
    while True:
        starts_B1 = torch.randint(7, (16, 1), generator=generator)
        text_BT = (starts_B1 + torch.arange(7)) % 7
        yield text_BT[:, :-1], text_BT[:, 1:]


def test_training_learns_to_count() -> None:
    model = new_model()
    train(model, counting_batches(), TrainConfig(learning_rate=1e-2, steps=80))
    tokens_BT, targets_BT = next(counting_batches())
    assert evaluate(model, tokens_BT, targets_BT).accuracy == 1.0


def test_two_runs_with_one_seed_give_the_same_history() -> None:
    config = TrainConfig(learning_rate=1e-2, steps=5, log_every=1)
    histories = [train(new_model(), counting_batches(), config) for _ in range(2)]
    assert histories[0] == histories[1]


def test_history_counts_tokens_and_keeps_the_last_step() -> None:
    config = TrainConfig(learning_rate=1e-3, steps=8, log_every=5)
    history = train(new_model(), counting_batches(), config)
    assert history.tokens == 8 * 16 * 6
    assert [point.step for point in history.points] == [0, 5, 7]


def test_divergence_is_a_result_and_leaves_finite_weights() -> None:
    model = new_model()

    def batches() -> Iterator[Batch]:
        yield from itertools.islice(counting_batches(), 3)
        with torch.no_grad():
            model.norm.bias.fill_(float("inf"))
        yield from counting_batches()

    history = train(model, batches(), TrainConfig(learning_rate=1e-3, steps=10))
    assert history.diverged_at == 3
    assert torch.isfinite(model.head.weight).all()


def test_training_is_a_stream_that_a_caller_can_stop() -> None:
    trainer = Trainer(new_model(), TrainConfig(learning_rate=1e-3, steps=100))
    points = trainer.points(counting_batches())
    assert [point.step for point in itertools.islice(points, 2)] == [0, 1]
    assert trainer.step == 2


def test_training_goes_on_from_a_saved_state_as_if_it_had_not_stopped() -> None:
    config = TrainConfig(learning_rate=1e-2, steps=6)
    whole = list(Trainer(new_model(), config).points(counting_batches()))
    batches = counting_batches()
    first = Trainer(new_model(), config)
    begun = list(itertools.islice(first.points(batches), 3))
    weights, state = copy.deepcopy((first.model.state_dict(), first.state_dict()))
    second = Trainer(new_model(), config)
    second.model.load_state_dict(weights)
    second.load_state_dict(state)
    assert begun + list(second.points(batches)) == whole


def test_a_batch_in_parts_gives_the_gradient_of_the_whole_batch() -> None:
    def ragged() -> Iterator[Batch]:
        """Some targets do not count, more of them in the first half of the batch."""
        for inputs_BT, targets_BT in counting_batches():
            targets_BT = targets_BT.clone()
            targets_BT[:5, 1:] = IGNORE
            yield inputs_BT, targets_BT

    losses = [
        [p.loss for p in Trainer(new_model(), config).points(ragged())]
        for config in (
            TrainConfig(learning_rate=1e-2, steps=5),
            TrainConfig(learning_rate=1e-2, steps=5, accumulate=3),
        )
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_a_part_without_a_counted_token_adds_nothing(accumulate: int) -> None:
    inputs_BT, targets_BT = map(torch.clone, next(counting_batches()))
    targets_BT[:8] = IGNORE
    config = TrainConfig(learning_rate=1e-2, steps=1, accumulate=accumulate)
    (point,) = Trainer(new_model(), config).points(iter([(inputs_BT, targets_BT)]))
    counted = iter([(inputs_BT[8:], targets_BT[8:])])
    (alone,) = Trainer(new_model(), TrainConfig(learning_rate=1e-2, steps=1)).points(counted)
    assert point.loss == pytest.approx(alone.loss)
    assert point.gradient_norm == pytest.approx(alone.gradient_norm)


def test_a_batch_without_a_counted_token_teaches_nothing() -> None:
    inputs_BT, targets_BT = next(counting_batches())
    model = new_model()
    config = TrainConfig(learning_rate=1e-2, steps=1)
    batches = iter([(inputs_BT, torch.full_like(targets_BT, IGNORE))])
    (point,) = Trainer(model, config).points(batches)
    assert (point.loss, point.gradient_norm) == (0.0, 0.0)
    assert torch.equal(model.head.weight, new_model().head.weight)


def test_an_evaluation_leaves_out_sequences_without_a_counted_token() -> None:
    inputs_BT, targets_BT = map(torch.clone, next(counting_batches()))
    targets_BT[:8] = IGNORE
    found = evaluate(new_model(), inputs_BT, targets_BT, batch_size=4)
    counted = evaluate(new_model(), inputs_BT[8:], targets_BT[8:])
    assert found.loss == pytest.approx(counted.loss)


def test_the_compiled_model_takes_the_models_place() -> None:
    config = TrainConfig(learning_rate=1e-2, steps=2)
    model = new_model()
    compiled = torch.compile(model, backend="eager")
    points = list(Trainer(model, config, forward=compiled).points(counting_batches()))
    plain = list(Trainer(new_model(), config).points(counting_batches()))
    assert [point.loss for point in points] == pytest.approx([point.loss for point in plain])


def test_frozen_weights_stay_as_they_are() -> None:
    model = new_model()
    model.blocks.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.blocks.state_dict().items()}
    train(model, counting_batches(), TrainConfig(learning_rate=1e-2, steps=3))
    assert all(torch.equal(before[n], t) for n, t in model.blocks.state_dict().items())


def test_the_rate_rises_to_its_peak_then_falls_to_its_final_share() -> None:
    config = TrainConfig(learning_rate=1.0, steps=100, warmup_share=0.1, final_share=0.2)
    rates = [learning_rate_at(step, config) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.2)


def test_only_matrices_of_layers_decay() -> None:
    model = new_model()
    decayed, undecayed = make_optimizer(
        model, TrainConfig(learning_rate=1.0, steps=1, weight_decay=0.1)
    ).param_groups
    assert decayed["weight_decay"] == 0.1
    assert undecayed["weight_decay"] == 0.0
    assert {id(p) for p in decayed["params"]} == {
        id(module.weight)
        for module in model.blocks.modules()
        if isinstance(module, torch.nn.Linear)
    }


def test_bfloat16_trains_too() -> None:
    config = TrainConfig(learning_rate=1e-2, steps=20, precision="bfloat16", log_every=1)
    points = train(new_model(), counting_batches(), config).points
    assert points[-1].loss < points[0].loss


def test_the_best_precision_of_this_cpu_is_one_that_training_knows() -> None:
    assert best_precision(torch.device("cpu")) in ("float32", "bfloat16")


def test_evaluation_does_not_depend_on_the_batch_size() -> None:
    model = new_model()
    tokens_NT, targets_NT = next(counting_batches())
    targets_NT = targets_NT.clone()
    targets_NT[:9, :3] = IGNORE
    whole, parts = (evaluate(model, tokens_NT, targets_NT, size) for size in (16, 5))
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.correct == whole.correct


def test_teacher_forced_exact_match_equals_greedy_decoding() -> None:
    model = new_model()
    train(model, counting_batches(), TrainConfig(learning_rate=3e-3, steps=12))
    tokens_NT, targets_NT = next(counting_batches())
    targets_NT = targets_NT.clone()
    targets_NT[:, :3] = IGNORE
    greedy = []
    for tokens_T, targets_T in zip(tokens_NT, targets_NT, strict=True):
        text = tokens_T[:4].tolist()
        while len(text) < 7:
            text.append(model(torch.tensor([text]))[0, -1].argmax().item())
        greedy.append(text[4:] == targets_T[3:].tolist())
    assert evaluate(model, tokens_NT, targets_NT).correct == tuple(greedy)
    assert 0 < sum(greedy) < 16
