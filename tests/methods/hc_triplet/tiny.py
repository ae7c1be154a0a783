"""A tiny network of this method, which the tests of all methods find here."""

from tests.made import small_trunk


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk and two narrow strips."""
    return small_trunk(model) | {"strips": 2, "strip_width": 16}
