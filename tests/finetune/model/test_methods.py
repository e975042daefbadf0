from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.methods import Full


def test_full_fine_tuning_trains_every_parameter_of_the_model_itself() -> None:
    model = new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0).requires_grad_(
        False
    )
    adapted = Full().adapt(model, seed=0)
    assert adapted is model
    assert all(parameter.requires_grad for parameter in adapted.parameters())


def test_full_fine_tuning_draws_nothing() -> None:
    first, second = (
        Full().adapt(new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), seed)
        for seed in (0, 1)
    )
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all((one == other).all() for one, other in pairs)
