"""Features out of arrays: the same as those of a file, and refused as those are. CPU, seconds."""

import numpy as np
import pytest

from vireid.datasets.protocols import protocol_named
from vireid.retrieval.arrays import Embedded, features_of
from vireid.retrieval.evaluation import evaluate
from vireid.support.errors import UserError

PIDS = np.array([1, 1, 2, 2])


def embedded(camid, **changes):
    values = {"vectors": np.eye(4)[PIDS], "pids": PIDS, "camids": np.full(4, camid)}
    return Embedded(**values | changes)


def features(train_pids=(), **changes):
    return features_of("manifest", embedded(1, **changes), embedded(2), train_pids)


def test_vectors_of_an_identity_are_found_first():
    result = evaluate(features(), protocol_named("manifest/infrared_to_visible/all_images"), (1,))
    assert result.means["rank1"] == result.means["mAP"] == 1


def test_whole_numbers_may_be_written_as_floating_point_ones():
    assert features(camids=np.ones(4), pids=PIDS.astype(float)).visible.pid.tolist() == PIDS.tolist()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"camids": np.full(4, 70_000)}, "camids"),
        ({"pids": PIDS + 2**32}, "pids"),
        ({"pids": PIDS + 0.5}, "pids"),
        ({"pids": np.array(["a"] * 4)}, "pids"),
        ({"train_pids": [2**40]}, "train_pids"),
        ({"train_pids": [2]}, "trained on"),
        ({"vectors": np.full((4, 4), np.nan)}, "NaN"),
        ({"vectors": np.zeros((3, 4))}, "differ in length"),
        ({"vectors": np.zeros((4, 5))}, "differs between"),
    ],
)
def test_what_a_file_could_not_hold_is_refused(changes, named):
    with pytest.raises(UserError, match=named):
        features(**changes)
