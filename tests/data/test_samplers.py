"""Identity-balanced batches over both modalities. CPU, seconds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vireid.data.samplers import IdentityBalancedSampler


def made(num_pids=3, num_instances=2, steps=7, seed=0, identities=9, visible=5, infrared=3):
    labels = tuple(np.repeat(np.arange(identities), count) for count in (visible, infrared))
    shuffled = tuple(np.random.default_rng(1).permutation(part) for part in labels)
    return IdentityBalancedSampler(shuffled, num_pids, num_instances, steps, seed)


def listed(sampler, epoch=0):
    return [tuple(part.tolist() for part in batch) for batch in sampler.epoch(epoch)]


@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 4),
    st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_batch_is_p_identities_with_k_images_of_each_modality(p, k, steps, more, visible, infrared):
    sampler = made(p, k, steps, identities=p + more, visible=visible, infrared=infrared)
    batches = list(sampler.epoch(3))
    assert len(batches) == len(sampler) == steps
    for rows in batches:
        first, second = (labels[part] for labels, part in zip(sampler.labels, rows, strict=True))
        assert np.array_equal(first, second)
        pids, counts = np.unique(first, return_counts=True)
        assert len(pids) == p
        assert (counts == k).all()
        assert np.array_equal(first, np.repeat(first[::k], k))


def test_images_of_an_identity_are_distinct_where_there_are_enough():
    for rows in made(num_pids=9, num_instances=3, infrared=3).epoch(0):
        assert all(len(set(part.tolist())) == len(part) for part in rows)


def test_identity_with_fewer_images_than_k_repeats_them():
    sampler = made(num_instances=4, visible=5, infrared=2)
    visible, infrared = next(iter(sampler.epoch(0)))
    assert len(set(visible.tolist())) == 12
    assert len(infrared) == 12
    assert len(set(infrared.tolist())) <= 6


def test_same_seed_and_epoch_give_the_same_batches():
    assert listed(made(), 4) == listed(made(), 4)
    sampler = made()
    listed(sampler, 0)
    assert listed(sampler, 4) == listed(made(), 4)


def test_other_epoch_and_other_seed_give_other_batches():
    batches = [listed(made(), 0), listed(made(), 1), listed(made(seed=1), 0), listed(made(seed=1), 1)]
    assert all(a != b for n, a in enumerate(batches) for b in batches[:n])


def test_every_identity_appears_once_in_each_pass():
    sampler = made(num_pids=3, steps=6, identities=9)
    seen = [sampler.labels[0][visible][::2] for visible, _ in sampler.epoch(0)]
    for start in (0, 3):
        assert sorted(np.concatenate(seen[start : start + 3])) == list(range(9))


def test_every_identity_and_image_appears_over_a_few_epochs():
    sampler = made(num_pids=4, num_instances=1, steps=9, identities=9)
    drawn = [batch for epoch in range(12) for batch in sampler.epoch(epoch)]
    for index, labels in enumerate(sampler.labels):
        rows = np.concatenate([batch[index] for batch in drawn])
        assert set(rows.tolist()) == set(range(len(labels)))


@pytest.mark.parametrize(("num_pids", "num_instances", "length"), [(3, 2, 45 // 6), (9, 5, 1), (9, 8, 1)])
def test_full_epoch_shows_as_many_images_as_are_visible(num_pids, num_instances, length):
    sampler = made(num_pids, num_instances, "full")
    assert len(sampler) == length
    assert len(list(sampler.epoch(0))) == length


def test_more_identities_per_batch_than_there_are_is_refused():
    with pytest.raises(ValueError, match="3 identities per batch, but only 2"):
        IdentityBalancedSampler((np.array([0, 1]), np.array([0, 1])), 3, 1, 1, 0)
