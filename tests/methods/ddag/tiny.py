"""A tiny network of this method, which the tests of all methods find here."""

from tests.made import small_trunk


def tiny(model: dict) -> dict:
    """A section `model` with the smallest trunk and a narrow graph."""
    return small_trunk(model) | {"graph_width": 8}
