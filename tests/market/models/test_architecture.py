import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.market.models.architecture import TOLERANCE, Architecture, within_budget
from llmlab.market.models.transformer import MarketTransformer
from llmlab.method.errors import LabError

small = st.integers(1, 4)


@settings(max_examples=15)
@given(small, small, small, small, small, st.integers(1, 40), small)
def test_the_count_is_that_of_the_module(
    patch: int, tokens: int, heads: int, width: int, layers: int, feedforward: int, features: int
) -> None:
    shape = Architecture(features, patch * tokens, patch, heads * width, layers, heads, feedforward)
    model = MarketTransformer(shape)
    assert shape.n_parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("budget", [2_000, 20_000, 2_000_000, 2_000_000_000])
def test_every_shape_of_a_budget_meets_it(budget: int) -> None:
    shapes = within_budget(Architecture(20), budget)
    assert max(abs(one.n_parameters - budget) for one in shapes) <= TOLERANCE * budget
    assert all(one.d_model % one.n_heads == 0 for one in shapes)


@pytest.mark.parametrize(("features", "budget"), [(20, 300), (246, 2000)])
def test_where_no_shape_meets_it_the_nearest_is_named(features: int, budget: int) -> None:
    with pytest.raises(LabError, match=r"the nearest has (\d[\d,]*)") as raised:
        within_budget(Architecture(features), budget)
    nearest = int(str(raised.value).split("nearest has ")[1].split(";")[0].replace(",", ""))
    assert within_budget(Architecture(features), nearest)
