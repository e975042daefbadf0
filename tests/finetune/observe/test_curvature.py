import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.observe.curvature import hessian_product, lanczos, top_eigenvalues
from llmlab.finetune.tasks.batches import encode
from llmlab.finetune.tasks.skills import subtraction
from llmlab.gpt.model import next_token_loss

SPECTRA = st.lists(st.floats(-10, 10, allow_nan=False), min_size=2, max_size=12, unique=True)


def quadratic(spectrum: list[float], seed: int) -> Tensor:
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    generator = torch.Generator().manual_seed(seed)
    size = len(spectrum)
    q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q * torch.tensor(spectrum, dtype=torch.float64) @ q.T


@settings(max_examples=50, deadline=None)
@given(SPECTRA, st.integers(0, 100))
def test_the_top_of_a_known_spectrum_is_found(spectrum: list[float], seed: int) -> None:
    matrix = quadratic(spectrum, seed)
    found = top_eigenvalues(lambda v: matrix @ v, matrix[0], n_steps=len(spectrum))
    assert found[0] == pytest.approx(max(spectrum), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100))
def test_no_eigenvalue_comes_twice_however_long_lanczos_runs(seed: int) -> None:
    spectrum = [1000.0, *torch.linspace(0, 1, 39, dtype=torch.float64).tolist()]
    matrix = quadratic(spectrum, seed)
    ritz = torch.linalg.eigvalsh(lanczos(lambda v: matrix @ v, matrix[0], 40))
    assert ritz[-1] == pytest.approx(1000)
    assert ritz[-2] < 1 + 1e-6


def test_lanczos_stops_where_the_products_span_no_more() -> None:
    assert lanczos(lambda v: 3 * v, torch.ones(5), n_steps=5).tolist() == [[pytest.approx(3)]]


def test_the_product_is_that_of_the_hessian_of_a_quadratic() -> None:
    matrix = quadratic([3.0, -1.0, 0.5], seed=0)
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    product = hessian_product(lambda: 0.5 * weights @ matrix @ weights, [weights])
    vector = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(product(vector), matrix @ vector)


def test_the_sharpest_directions_of_a_tiny_model_are_those_of_its_exact_hessian() -> None:
    model = new_base_model(d_model=8, n_layers=1, n_heads=2, context=32, seed=0)
    sequences = encode(subtraction().train[:8])
    weight = model.blocks[0].attention.qkv.weight

    def loss_at(value: Tensor) -> Tensor:
        moved = {"blocks.0.attention.qkv.weight": value}
        return next_token_loss(
            functional_call(model, moved, sequences.tokens_NT), sequences.targets_NT
        )

    with sdpa_kernel(SDPBackend.MATH):
        exact = torch.autograd.functional.hessian(loss_at, weight.detach())
    eigenvalues = torch.linalg.eigvalsh(exact.reshape(weight.numel(), -1)).flip(0)
    product = hessian_product(
        lambda: next_token_loss(model(sequences.tokens_NT), sequences.targets_NT), [weight]
    )
    found = top_eigenvalues(product, weight.detach().flatten(), count=3, n_steps=30)
    assert found == pytest.approx(eigenvalues[:3].tolist(), rel=1e-3)
