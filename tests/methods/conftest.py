"""The guards are no test file, but what they compare is to be seen when they fail."""

import pytest

pytest.register_assert_rewrite("tests.methods.guards")
