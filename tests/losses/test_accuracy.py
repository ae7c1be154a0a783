"""How many rows of logits are right, by hand. CPU, milliseconds."""

import pytest
import torch

from vireid.losses.accuracy import top1_hits, top1_rate


@pytest.mark.parametrize(
    ("predicted", "labels", "hits", "rate"),
    [
        ([1, 2, 0, 1], [0, 1, 2, 0], 0, 0.0),
        ([0, 1, 2, 1], [0, 1, 2, 0], 3, 0.75),
        ([2, 1, 0, 0, 2], [2, 1, 0, 0, 2], 5, 1.0),
        ([], [], 0, 0.0),
    ],
)
def test_hits_and_rate_by_hand(predicted, labels, hits, rate):
    logits = torch.nn.functional.one_hot(torch.tensor(predicted, dtype=torch.int64), 3).float()
    labels = torch.tensor(labels, dtype=torch.int64)
    assert top1_hits(logits, labels).item() == hits
    assert top1_rate(logits, labels).item() == rate
