"""The random streams on which the data set's bytes rest. NumPy on a CPU, at once."""

from collections import Counter

from vireid.synthetic.draws import Draw, Purpose

PINNED = [0.075247416, 0.255550471, 0.722542795]


def test_stream_is_the_pinned_one():
    draw = Draw(1, Purpose.IMAGE, 2, 3, 4)
    assert [round(draw.uniform(0, 1), 9) for _ in range(3)] == PINNED


def test_streams_differ_by_every_part_of_their_key():
    keys = [
        (1, Purpose.IMAGE, 2, 3),
        (2, Purpose.IMAGE, 2, 3),
        (1, Purpose.IDENTITY, 2, 3),
        (1, Purpose.IMAGE, 3, 2),
    ]
    assert len({Draw(*key).uniform(0, 1) for key in keys}) == len(keys)


def test_weighted_follows_its_weights_and_never_picks_zero():
    draw = Draw(1, Purpose.IDENTITY)
    counts = Counter(draw.weighted({"often": 3.0, "never": 0.0, "seldom": 1.0}) for _ in range(4000))
    assert counts["never"] == 0
    assert abs(counts["often"] / 4000 - 0.75) < 0.03


def test_normal_is_cut():
    draw = Draw(1, Purpose.IDENTITY)
    values = [draw.normal(1.0, 0.1, limit=1.5) for _ in range(2000)]
    assert min(values) >= 0.85 - 1e-12
    assert max(values) <= 1.15 + 1e-12
