"""`vireid convert`: MATLAB features in the format of SYSU-MM01's authors. CPU, seconds; one test needs lists."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from typer.testing import CliRunner

from tests.commands.authors_files import CAMERAS, COUNTS, TEST, cells, write_authors_files, write_features
from tests.reference.ranking import evaluate_official
from tests.refusals import refused
from vireid.cli import app
from vireid.retrieval.features import read_features

LISTS = Path(__file__).resolve().parents[3] / "shared" / "sysu-mm01"


@pytest.fixture
def authors(tmp_path):
    """A folder with the authors' files; their features and shuffles."""
    return tmp_path, *write_authors_files(tmp_path)


def run(root, *options):
    arguments = (root / "feature" / "mine", root / "features.h5", "--split", root / "data_split", *options)
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


@pytest.mark.parametrize("name", ["mine_cam4.mat", "test_id.mat", "rand_perm_cam.mat"])
def test_file_that_the_system_refuses_is_not_called_another_format(authors, monkeypatch, name):
    original = Path.read_bytes

    def read_bytes(path):
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    result = run(authors[0])
    assert result.exit_code == 1
    assert f"{name}: Permission denied; correct the path or its permissions" in result.stderr


def test_every_test_image_has_its_row(authors):
    root, features, shuffles = authors
    result = run(root)
    assert result.exit_code == 0, result.output
    assert "of 2 identities" in result.stdout
    written = read_features(root / "features.h5")
    assert (written.info.dataset, written.info.method) == ("sysu_mm01", "mine")
    assert written.info.train_pids.tolist() == [1]
    for images, camids in ((written.visible, (1, 2, 4, 5)), (written.infrared, (3, 6))):
        assert len(images) == sum(COUNTS[camid][pid - 1] for camid in camids for pid in TEST)
        for row, (pid, camid, name) in enumerate(zip(images.pid, images.camid, images.name, strict=True)):
            folder, identity, file = name.split("/")
            assert (folder, identity) == (f"cam{camid}", f"{pid:04d}")
            number = int(file.removesuffix(".jpg"))
            expected = features[camid][pid - 1][number - 1]
            np.testing.assert_array_equal(images.embeddings["given"][row], expected.astype("f4"))
            rows = shuffles[camid - 1][pid - 1, 0]
            assert images.optional["official_places"][row].tolist() == np.argwhere(rows == number)[:, 1].tolist()


def test_row_of_cells_and_text_lists_are_taken_too(authors):
    root, features, _ = authors
    for camid in CAMERAS:
        savemat(root / "feature" / f"mine_cam{camid}.mat", {"feature": cells(features[camid]).T})
    (root / "data_split" / "test_id.mat").unlink()
    (root / "data_split" / "test_id.txt").write_text("2,3\n")
    assert run(root).exit_code == 0
    assert len(read_features(root / "features.h5").visible) == 12


def test_without_shuffles_only_seeded_galleries_remain(authors):
    root, *_ = authors
    (root / "data_split" / "rand_perm_cam.mat").unlink()
    result = run(root)
    assert "only seeded galleries" in result.stdout
    assert read_features(root / "features.h5").visible.optional == {}


def no_camera(root):
    (root / "feature" / "mine_cam4.mat").unlink()


def no_list(root):
    (root / "data_split" / "test_id.mat").unlink()


def no_matlab(root):
    (root / "feature" / "mine_cam4.mat").write_text("feature")


def matlab_7_3(root):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (root / "feature" / "mine_cam4.mat").write_bytes(header + bytes(512))


def other_variable(root):
    savemat(root / "feature" / "mine_cam4.mat", {"features": np.ones((2, 2))})


def one_more_image(root):
    savemat(root / "feature" / "mine_cam4.mat", {"feature": cells([np.ones((4, 5))] * 4)})


def no_image(root):
    savemat(root / "feature" / "mine_cam4.mat", {"feature": cells([np.empty((0, 0))] * 4)})


def other_length(root):
    savemat(root / "feature" / "mine_cam4.mat", {"feature": cells([np.ones((n, 6)) for n in COUNTS[4]])})


def not_a_number(root):
    savemat(root / "feature" / "mine_cam4.mat", {"feature": cells([np.full((n, 5), np.nan) for n in COUNTS[4]])})


def nothing_infrared(root):
    for camid in (3, 6):
        savemat(root / "feature" / f"mine_cam{camid}.mat", {"feature": cells([np.empty((0, 0))] * 4)})


def trained_on_test(root):
    savemat(root / "data_split" / "train_id.mat", {"id": np.array([[1, 3]])})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_camera, "mine_cam4.mat: the features of a camera are missing"),
        (no_list, "the test identities are missing"),
        (no_matlab, "mine_cam4.mat: not the features"),
        (matlab_7_3, "'-v7'"),
        (other_variable, "mine_cam4.mat: not the features"),
        (one_more_image, "permutations of the 4 images in cam4/0002"),
        (no_image, "2 rows for the images in cam4/0002"),
        (other_length, "5, 6"),
        (not_a_number, "NaN"),
        (nothing_infrared, "no infrared camera"),
        (trained_on_test, "identities in both train and test"),
    ],
)
def test_wrong_input_is_one_message_and_no_file(authors, spoil, message):
    root, *_ = authors
    spoil(root)
    refused(run(root), message)
    assert not (root / "features.h5").exists()


@pytest.mark.parametrize("shots", [1, 10])
def test_official_layout_evaluates_as_the_official_definition(tmp_path, shots):
    """Random features of the true test images: converted and evaluated here, and by loops from the definition."""
    if not LISTS.is_dir():
        pytest.skip(f"no {LISTS}")
    pids = [int(pid) for pid in loadmat(LISTS / "test_id.mat")["id"].ravel()][::8]
    shuffles = loadmat(LISTS / "rand_perm_cam.mat")["rand_perm_cam"][:, 0]
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(534, 4))
    features = {
        camid: [
            centres[pid] + generator.normal(size=(cell[0].shape[1], 4))
            for pid, cell in enumerate(shuffles[camid - 1], start=1)
        ]
        for camid in CAMERAS
    }
    split = tmp_path / "data_split"
    split.mkdir()
    (split / "rand_perm_cam.mat").write_bytes((LISTS / "rand_perm_cam.mat").read_bytes())
    (split / "test_id.txt").write_text(",".join(map(str, pids)))
    write_features(tmp_path / "feature" / "mine", features)
    assert run(tmp_path).exit_code == 0
    name = f"sysu_mm01/all_search/{'single_shot' if shots == 1 else 'multi_shot'}"
    arguments = ["evaluate", tmp_path / "features.h5", "--protocol", name, "--official", "--as-given"]
    arguments += ["--rank", 1, "--rank", 5, "--json", tmp_path / "result.json"]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "result.json").read_text())["protocols"][name]["trials"]
    for trial in (0, 9):
        expected = evaluate_official(features, shuffles, pids, shots, trial)
        for metric, value in expected.items():
            assert found[trial][metric] == pytest.approx(100 * value, abs=1e-4), metric
