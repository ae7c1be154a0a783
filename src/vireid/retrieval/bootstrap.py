"""How much a mean over queries would vary with other people in the queries."""

import numpy as np

RESAMPLES = 1000
_TAILS = (0.025, 0.975)
_SEED = 0  # of the resampling: the same results have the same intervals


def confidence_intervals(pids: np.ndarray, scores: np.ndarray) -> list[tuple[float, float]]:
    """Estimate 95 % confidence intervals of means over queries and trials by the percentile bootstrap.

    Identities are resampled, each with all its queries in all trials. Queries of one identity share its looks, its
    gallery images and often its camera track, so they succeed or fail together; resampling them one by one would
    treat them as independent and give intervals that are too narrow. Galleries and the model stay as they are: the
    intervals say nothing about other galleries (see the standard deviations) or another training run. B. Efron and
    R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13.

    Args:
        pids: (T, Q) int, the identity of each query of each trial.
        scores: (K, T, Q) float64, K values of each query; NaN for a query that is in no mean.

    Returns:
        K times (low, high), of the mean over trials of the mean over queries.
    """
    identity = np.unique(pids, return_inverse=True)[1].reshape(pids.shape)
    valid = ~np.isnan(scores[0])
    trial = np.nonzero(valid)[0]
    sums = np.zeros((identity.max() + 1, len(scores) + 1, len(pids)))  # behind the values: the number of queries
    for value, queries in enumerate((*scores, np.ones(pids.shape))):
        np.add.at(sums[:, value], (identity[valid], trial), queries[valid])
    sums = sums[sums[:, -1].any(axis=1)]
    generator = np.random.default_rng(_SEED)
    means = np.stack([_resampled_means(sums, generator) for _ in range(RESAMPLES)])
    return [(float(low), float(high)) for low, high in np.quantile(means, _TAILS, axis=0).T]


def _resampled_means(sums: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw as many identities as there are, with replacement, and take their means, (K,)."""
    drawn = np.bincount(generator.integers(len(sums), size=len(sums)), minlength=len(sums))
    *totals, queries = (drawn @ sums.reshape(len(sums), -1)).reshape(sums.shape[1:])
    asked = queries > 0  # a trial may have no valid query of the identities that were drawn
    return (np.stack(totals)[:, asked] / queries[asked]).mean(axis=1)
