"""A tiny FPRnet, which the tests of all methods find here."""

from tests.made import small_trunk


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk, which learns at the full rate, and as many but narrow layers."""
    widths = {"joint_dims": [32, 32], "fusion_dims": [16, 8]}
    narrow = {key: values[: len(model[key])] for key, values in widths.items()}
    return small_trunk(model) | {"pyramid_width": 16, "rest_lr_factor": 1.0} | narrow
