"""Layers of a model put in the place of others."""

from torch import nn


def replace_module(model: nn.Module, path: str, module: nn.Module) -> None:
    """Put `module` into `model` in place of the module at `path`, such as `blocks.0.mlp.up`."""
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)
