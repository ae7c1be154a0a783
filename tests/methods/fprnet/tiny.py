"""A tiny FPRnet, which the tests of all methods find here."""


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk, which learns at the full rate, and as many but narrow layers."""
    widths = {"joint_dims": [32, 32], "fusion_dims": [16, 8]}
    narrow = {key: values[: len(model[key])] for key, values in widths.items()}
    small = {"backbone": "resnet10_half", "pretrained": False, "pyramid_width": 16, "rest_lr_factor": 1.0}
    return model | small | narrow
