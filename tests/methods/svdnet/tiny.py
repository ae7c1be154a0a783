"""A tiny network of this method, which the tests of all methods find here."""

from tests.made import small_trunk

CYCLES = {"cycles": 1, "first_epoch": 1, "restraint": 1, "relaxation": 1}


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk, a narrow layer, one cycle and no dropout."""
    return small_trunk(model) | {"width": 32, "dropout": 0.0, "svd": CYCLES}
