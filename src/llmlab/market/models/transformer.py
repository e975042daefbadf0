"""The transformer of an `Architecture`: maps patches of days to the logit of a rise."""

import torch
from torch import Tensor, nn

from llmlab.market.models.architecture import Architecture


class MarketTransformer(nn.Module):
    """A pre-norm encoder that predicts from its last token.

    Shapes in names: B samples, L days, F features, T patches, D width.
    """

    def __init__(self, shape: Architecture, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        d = shape.d_model
        self.embedding = nn.Linear(shape.patch * shape.n_features, d)
        self.position = nn.Parameter(0.02 * torch.randn(shape.n_tokens, d))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                d,
                shape.n_heads,
                shape.d_feedforward,
                dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(shape.n_layers)
        )
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, 1)

    def forward(self, x_BLF: Tensor) -> Tensor:
        """Logits of shape [B]."""
        B = len(x_BLF)
        patches_BTP = x_BLF.reshape(B, self.shape.n_tokens, -1)
        h_BTD = self.embedding(patches_BTP) + self.position
        for layer in self.layers:
            h_BTD = layer(h_BTD)
        return self.head(self.norm(h_BTD[:, -1])).squeeze(-1)

    def start_at(self, rate: float) -> None:
        """Initialise the head so that every answer is `rate` before training."""
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, float(torch.logit(torch.tensor(rate))))
