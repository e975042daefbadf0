"""Curvature of a loss: the largest eigenvalues of its Hessian, which is never written down.

The Hessian of P weights has P² entries, but its product with a vector costs only a few gradients
(Pearlmutter 1994): differentiate the product of the gradient and that vector.
Lanczos' method finds the extreme eigenvalues from a few such products.

Shapes in names: P weights, one after another; K steps of Lanczos.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmlab.finetune.observe.noise_scale import flat

Product = Callable[[Tensor], Tensor]
"""A symmetric matrix as what it does to a vector, [P] to [P]."""


def hessian_product(loss: Callable[[], Tensor], weights: Sequence[Tensor]) -> Product:
    """The Hessian of `loss()` with respect to `weights`, at their present values.

    The forward pass runs once, with attention in plain operations: its fused kernels have no
    second derivative.
    """
    with sdpa_kernel(SDPBackend.MATH):
        gradient_P = flat(torch.autograd.grad(loss(), weights, create_graph=True))

    def product(v_P: Tensor) -> Tensor:
        return flat(torch.autograd.grad(gradient_P @ v_P, weights, retain_graph=True)).detach()

    return product


def lanczos(product: Product, start_P: Tensor, n_steps: int) -> Tensor:
    """The tridiagonal matrix of Lanczos' method, shape [K, K] with K ≤ n_steps, in float64.

    In floating point the basis loses orthogonality once an eigenvalue has converged, and spurious
    copies of it appear. So each new vector is orthogonalised twice against all earlier ones (full
    reorthogonalisation: Golub and Van Loan, Matrix Computations, section 10.3.5). It stops early
    where the products span no more.
    """
    basis = [start_P / start_P.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        w_P = product(basis[-1])
        diagonal.append((basis[-1] @ w_P).item())
        size = w_P.norm()
        basis_KP = torch.stack(basis)
        for _ in range(2):
            w_P = w_P - basis_KP.T @ (basis_KP @ w_P)
        left = w_P.norm()
        if len(basis) == n_steps or left <= 1e3 * torch.finfo(w_P.dtype).eps * size:
            break
        beside.append(left.item())
        basis.append(w_P / left)
    diagonal_K, beside_K = (torch.tensor(part, dtype=torch.float64) for part in (diagonal, beside))
    return diagonal_K.diag() + beside_K.diag(1) + beside_K.diag(-1)


def top_eigenvalues(
    product: Product, like_P: Tensor, count: int = 1, n_steps: int = 20, seed: int = 0
) -> list[float]:
    """The `count` largest eigenvalues (fewer if Lanczos stops early), the largest first.

    Args:
        like_P: a vector of the shape, type and device that `product` takes.
        n_steps: number of products; the largest eigenvalue takes about ten, each further one more.
        seed: of the random start, in which no eigenvector is missing.
    """
    generator = torch.Generator().manual_seed(seed)
    start_P = torch.randn(like_P.shape, generator=generator, dtype=like_P.dtype).to(like_P.device)
    ritz_K = torch.linalg.eigvalsh(lanczos(product, start_P, n_steps))
    return ritz_K.flip(0)[:count].tolist()
