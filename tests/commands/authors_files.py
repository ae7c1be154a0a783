"""Made-up features and shuffles in the MATLAB files of SYSU-MM01's authors."""

import numpy as np
from scipy.io import savemat

CAMERAS = (1, 2, 3, 4, 5, 6)
COUNTS = {1: (2, 0, 3, 1), 2: (1, 0, 2, 2), 3: (2, 1, 1, 0), 4: (2, 2, 3, 3), 5: (1, 1, 1, 1), 6: (2, 2, 2, 2)}
TEST = (2, 3)


def cells(matrices):
    """Make a column of cells, as MATLAB's cell(N, 1)."""
    column = np.empty((len(matrices), 1), object)
    column[:, 0] = matrices
    return column


def write_features(prefix, features):
    """Write `features[camid]`, a list of matrices by identity."""
    prefix.parent.mkdir(exist_ok=True)
    for camid, matrices in features.items():
        savemat(f"{prefix}_cam{camid}.mat", {"feature": cells(matrices)})


def write_authors_files(root):
    """Write `feature/mine_cam*.mat` and `data_split` of four identities, of which the second and third are tested.

    Returns:
        The features, by camera a list of matrices by identity, and the shuffles, by camera a column of cells.
    """
    generator = np.random.default_rng(0)
    features = {camid: [generator.random((count, 5)) for count in COUNTS[camid]] for camid in CAMERAS}
    features[1][1] = np.empty((0, 0))  # an empty cell
    write_features(root / "feature" / "mine", features)
    split = root / "data_split"
    split.mkdir()
    shuffles = [
        cells([np.stack([generator.permutation(n) + 1 for _ in range(10)]).astype("u1") for n in COUNTS[camid]])
        for camid in CAMERAS
    ]
    savemat(split / "rand_perm_cam.mat", {"rand_perm_cam": cells(shuffles)})
    savemat(split / "test_id.mat", {"id": np.array([TEST])})
    savemat(split / "train_id.mat", {"id": np.array([[1]])})
    return features, shuffles
