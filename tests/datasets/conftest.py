"""A data set to be broken, for every module that has one drawn."""

import shutil

import pytest


@pytest.fixture
def root(tmp_path, drawn):
    """A copy of the module's `drawn` data set, to be broken."""
    return shutil.copytree(drawn, tmp_path / "data")
