"""The stride of a stage."""

from torch import nn


def keep_resolution(stage: nn.Module) -> None:
    """Set the stride of every convolution and pooling in a stage to 1, without dilation.

    A pooling whose windows touch without overlapping has nothing left to pool.
    """
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
        elif isinstance(module, nn.AvgPool2d | nn.MaxPool2d):
            if module.kernel_size == module.stride:
                module.kernel_size = 1
            module.stride = 1
