"""Features in the format of SYSU-MM01's evaluation code (github.com/wuancong/SYSU-MM01, folder evaluation).

`<name>_cam1.mat` to `<name>_cam6.mat` each hold a variable `feature`, one cell for each identity from 1, with the
feature vector of the identity's i-th image in that camera in row i; a cell is empty where there is no image. The
identities of `test_id.mat` are evaluated. `rand_perm_cam.mat`: see `data.official_galleries`.
"""

from io import BytesIO
from pathlib import Path

import numpy as np

from vireid.data.layout_checks import require_disjoint
from vireid.data.lists import read_matlab_pids, read_pids
from vireid.data.official_galleries import with_official_places
from vireid.data.records import ImageRecord, Modality
from vireid.datasets.sysu_mm01 import MODALITY_OF_CAMERA
from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo
from vireid.support.errors import UserError
from vireid.support.progress import track

EMBEDDING = "given"
_UNKNOWN = "unknown"
_SHUFFLES = "rand_perm_cam.mat"
_FORMAT = "a MATLAB file with the variable feature, a cell array of matrices by identity"


def read_matlab_features(prefix: Path, split: Path, method: str) -> Features:
    """Read the features of the test identities.

    Args:
        prefix: What stands before `_cam1.mat` in the files' paths.
        split: Folder of `test_id`, maybe `train_id` and `val_id` (.mat or .txt), and maybe `rand_perm_cam.mat`.
        method: What made the features.

    Returns:
        Images are named `cam<c>/<id>/<row>.jpg`, as they are in the data set.

    Raises:
        UserError: If a file is missing or of another format, or files disagree about dimensions or images.
    """
    pids = _pids(split, "test_id")
    if pids is None:
        raise UserError(
            split / "test_id.mat",
            "the test identities are missing",
            expected="test_id.mat or test_id.txt",
            found="neither",
            remedy="copy it from data_split of the authors' evaluation code, or exp of the data set",
        )
    trained = {pid for name in ("train_id", "val_id") for pid in _pids(split, name) or ()}
    require_disjoint(split, trained, pids, "train_id, val_id or test_id")
    cells = {
        (camid, pid): matrix
        for camid in track(MODALITY_OF_CAMERA, "read", len(MODALITY_OF_CAMERA), "cameras")
        for pid, matrix in _read_camera(prefix.with_name(f"{prefix.name}_cam{camid}.mat"), sorted(pids))
    }
    _check_cells(prefix, cells)
    visible, infrared = (_feature_set(cells, modality, split / _SHUFFLES) for modality in Modality)
    _check_complete(prefix, cells, sorted(pids), split / _SHUFFLES)
    info = FeaturesInfo(
        dataset="sysu_mm01",
        trial=0,
        source_hash=_UNKNOWN,
        method=method,
        default=EMBEDDING,
        model_hash=_UNKNOWN,
        superresolve=_UNKNOWN,
        flip=False,
        train_pids=np.array(sorted(trained), np.int32),
    )
    return Features(info, EMBEDDING, visible, infrared)


def _pids(folder: Path, name: str) -> set[int] | None:
    """Read a list of identities in either of its two forms; None where there is none."""
    text, matlab = folder / f"{name}.txt", folder / f"{name}.mat"
    if text.is_file():
        return read_pids(text)
    return read_matlab_pids(matlab) if matlab.is_file() else None


def _read_camera(path: Path, pids: list[int]) -> list[tuple[int, np.ndarray]]:
    """Read one camera's file: identity and (n, D) float32, for those that have images."""
    from scipy.io import loadmat

    if not path.is_file():
        remedy = "name what stands before _cam1.mat, and have the files of all six cameras"
        raise UserError(
            path, "the features of a camera are missing", expected=_FORMAT, found="nothing", remedy=remedy
        )
    content = BytesIO(path.read_bytes())  # where the system refuses that, the file is not to blame
    try:
        cells = loadmat(content, variable_names=["feature"])["feature"].ravel()  # type: ignore[arg-type] # it reads open files too
        matrices = [(pid, np.asarray(cells[pid - 1])) for pid in pids if pid <= len(cells)]
        filled = [(pid, matrix.astype(np.float32)) for pid, matrix in matrices if matrix.size]
        if not all(matrix.ndim == 2 for _, matrix in filled):
            raise ValueError("a cell that is no matrix")
    except NotImplementedError as error:
        remedy = "save it in MATLAB with save(name, 'feature', '-v7')"
        raise UserError(path, "a MATLAB 7.3 file", expected=_FORMAT, found="-v7.3", remedy=remedy) from error
    except Exception as error:  # SciPy's parser raises whatever a broken file provokes
        remedy, found = "save the features as the authors' code takes them", f"{type(error).__name__}: {error}"
        raise UserError(
            path, "not the features of a camera", expected=_FORMAT, found=found, remedy=remedy
        ) from error
    return filled


def _check_cells(prefix: Path, cells: dict[tuple[int, int], np.ndarray]) -> None:
    """Check that all vectors have one length, and that both modalities have some."""
    dimensions = {matrix.shape[1] for matrix in cells.values()}
    if len(dimensions) != 1:
        raise UserError(
            prefix,
            "feature vectors of different lengths" if dimensions else "no test identity has a feature vector",
            expected="one length in all cameras",
            found=", ".join(map(str, sorted(dimensions))) or "empty cells only",
            remedy="extract the features of all cameras with one model",
        )
    for modality in Modality:
        if not any(MODALITY_OF_CAMERA[camid] is modality for camid, _ in cells):
            raise UserError(
                prefix,
                f"no {modality.group} camera has features of a test identity",
                expected="test images of both modalities",
                found="empty cells only",
                remedy="extract the features of all cameras",
            )


def _check_complete(prefix: Path, cells: dict[tuple[int, int], np.ndarray], pids: list[int], path: Path) -> None:
    """Check that no identity of the official galleries lacks its cell; the others were compared already."""
    from scipy.io import loadmat

    if not path.is_file():
        return
    cameras = [camera.ravel() for camera in loadmat(path)["rand_perm_cam"][:, 0]]
    for camid in MODALITY_OF_CAMERA:
        for pid in pids[: np.searchsorted(pids, len(cameras[camid - 1]), side="right")]:
            count = cameras[camid - 1][pid - 1].shape[1]
            if count and (camid, pid) not in cells:
                raise UserError(
                    f"{prefix}_cam{camid}.mat",
                    "an identity lacks its feature vectors",
                    expected=f"{count} rows for the images in cam{camid}/{pid:04d}",
                    found="an empty cell",
                    remedy="extract the features of all images of the test identities",
                )


def _feature_set(cells: dict[tuple[int, int], np.ndarray], modality: Modality, shuffles: Path) -> FeatureSet:
    """Line the images of one modality up by identity, camera and row."""
    order = sorted((pid, camid) for camid, pid in cells if MODALITY_OF_CAMERA[camid] is modality)
    records = [
        ImageRecord(f"cam{camid}/{pid:04d}/{row:04d}.jpg", pid, camid, modality, "test")
        for pid, camid in order
        for row in range(1, len(cells[camid, pid]) + 1)
    ]
    optional = {}
    if shuffles.is_file():
        records = with_official_places(records, shuffles)
        optional = {"official_places": np.array([record.official_places for record in records], np.int16)}
    return FeatureSet(
        pid=np.array([record.pid for record in records], np.int32),
        camid=np.array([record.camid for record in records], np.int16),
        name=np.array([record.name for record in records], object),
        embeddings={EMBEDDING: np.concatenate([cells[camid, pid] for pid, camid in order])},
        optional=optional,
    )
