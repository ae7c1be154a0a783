"""A tiny network of this method, which the tests of all methods find here."""

from tests.made import small_trunk as tiny

__all__ = ["tiny"]
