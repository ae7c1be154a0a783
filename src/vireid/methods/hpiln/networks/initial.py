"""The state that MLFN and MuDeep start from, as the field's best-known library has it (torchreid, 2019)."""

from torch import nn

_LINEAR_SPREAD = 0.01


def initialise(network: nn.Module) -> None:
    """Draw convolutions by He's rule (fan out) and linear layers from N(0, 0.01); biases are zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=_LINEAR_SPREAD)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
