"""Which of two blocks wins, by hand. CPU, milliseconds."""

import pytest
import torch

from vireid.losses.gather import alone
from vireid.methods.fprnet.competition import first_wins


def block(hits, rows):
    """Logits and labels of which so many rows are right."""
    labels = torch.arange(rows) % 3
    predicted = torch.where(torch.arange(rows) < hits, labels, (labels + 1) % 3)
    return torch.nn.functional.one_hot(predicted, 3).float(), labels


@pytest.mark.parametrize(
    ("first", "second", "by_rate", "by_hits"),
    [
        ((4, 8), (9, 32), True, False),
        ((2, 8), (9, 32), False, False),
        ((2, 8), (8, 32), True, False),
        ((3, 8), (3, 32), True, True),
        ((0, 8), (0, 32), True, True),
        ((0, 8), (0, 0), True, True),
    ],
)
def test_more_rows_help_by_hits_and_not_by_rate_and_the_first_wins_where_equal(first, second, by_rate, by_hits):
    assert bool(first_wins(block(*first), block(*second), "rate", alone)) == by_rate
    assert bool(first_wins(block(*first), block(*second), "hits", alone)) == by_hits
