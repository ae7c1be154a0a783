"""Small made-up features for the tests."""

import numpy as np

from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo


def feature_set(images, vectors, name="bn"):
    """Make a set of (pid, camid) images that are numbered within each identity and camera."""
    numbers = {}
    names = []
    for pid, camid in images:
        numbers[pid, camid] = numbers.get((pid, camid), 0) + 1
        names.append(f"cam{camid}/{pid:04d}/{numbers[pid, camid]:04d}.jpg")
    pids, camids = zip(*images, strict=True) if images else ((), ())
    vectors = np.asarray(vectors, np.float32).reshape(len(images), -1)
    return FeatureSet(
        np.array(pids, np.int32), np.array(camids, np.int16), np.array(names, object), {name: vectors}
    )


def features_of(visible, infrared, dataset="synthetic", train_pids=(), trial=0):
    """Make features of one embedding, `bn`."""
    return Features(info_of(dataset, train_pids, trial), "bn", visible, infrared)


def info_of(dataset="synthetic", train_pids=(), trial=0):
    """Make the attributes of a features file."""
    return FeaturesInfo(
        dataset=dataset,
        trial=trial,
        source_hash="cd" * 32,
        method="made",
        default="bn",
        model_hash="ab" * 32,
        superresolve="none",
        flip=False,
        train_pids=np.array(train_pids, np.int32),
    )


def layout(pids, camids, count):
    """List `count` images of each identity in each camera."""
    return [(pid, camid) for camid in camids for pid in pids for _ in range(count)]


def random_features(pids=range(1, 31), visible=3, infrared=2, dimensions=8, noise=1.0, seed=0):
    """Make features in which images scatter around their identity; `noise` 0 is a perfect embedding."""
    generator = np.random.default_rng(seed)
    centres = dict(zip(pids, np.eye(len(pids), max(dimensions, len(pids))), strict=True))

    def embedded(images):
        vectors = np.array([centres[pid] for pid, _ in images])
        return feature_set(images, vectors + noise * generator.standard_normal(vectors.shape))

    return features_of(embedded(layout(pids, (1, 2, 4, 5), visible)), embedded(layout(pids, (3, 6), infrared)))
