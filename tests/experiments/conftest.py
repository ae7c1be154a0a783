"""Plans of a table, and what makes experiments of it."""

from functools import partial

import pytest

from tests.experiments.made import made, planned


@pytest.fixture(scope="module")
def plan():
    return planned("fprnet/table8")


@pytest.fixture(scope="module")
def regdb():
    """Table 5 on a data set of ten trials."""
    return planned("fprnet/table5", "synthetic_regdb")


@pytest.fixture(scope="module")
def experiment(plan):
    """Make an experiment of a row of the plan."""
    return partial(made, plan)
