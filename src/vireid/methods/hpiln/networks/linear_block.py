"""The layer that makes a vector of another width."""

from torch import nn


def linear_block(inputs: int, outputs: int, bias: bool = True) -> nn.Sequential:
    """Linear layer, batch normalisation and ReLU: (B, inputs) to (B, outputs)."""
    return nn.Sequential(nn.Linear(inputs, outputs, bias=bias), nn.BatchNorm1d(outputs), nn.ReLU())
