"""Slow cluster bootstrap, written from the definition with loops: the oracle of tests/retrieval."""

from statistics import fmean


def resampled_means(pids, scores, draws):
    """Compute the mean of each resample.

    Args:
        pids: For each trial the identity of each query.
        scores: For each trial the value of each query; None for one that is in no mean.
        draws: For each resample the identities that were drawn, with repetition.

    Returns:
        For each resample the mean over trials of the mean over the drawn identities' queries.
    """
    means = []
    for drawn in draws:
        trials = []
        for trial_pids, values in zip(pids, scores, strict=True):
            of_pid = {pid: [] for pid in drawn}
            for pid, value in zip(trial_pids, values, strict=True):
                if pid in of_pid and value is not None:
                    of_pid[pid].append(value)
            taken = [value for pid in drawn for value in of_pid[pid]]
            if taken:
                trials.append(fmean(taken))
        means.append(fmean(trials))
    return means
