"""The files below a folder: exactly those that DVC hashes, less what desktops leave. CPU, seconds."""

import json
import os
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.datasets.listing import llcm_images, regdb_images, sysu_images
from tests.made import draw_dataset, draw_llcm, draw_regdb, read_yaml
from vireid.data.tree import read_dataset, read_tree
from vireid.support.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")
DVCIGNORE = "*.skip\nhidden/\n/data/only here.jpg\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A DVC repository in the working directory, with a data set inside and the same one outside."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Repo.init(no_scm=True)
    Path(".dvcignore").write_text(DVCIGNORE)
    for root in (folder / "data", tmp_path / "outside"):
        for name in (
            *("a.jpg", "b/c.jpg", "b/c.skip", "b/hidden/d.jpg", "hidden/e.jpg", "only here.jpg", "b/ä ß.png"),
            *(".DS_Store", "b/._c.jpg", ".Trash-1000/files/f.jpg", "b/Thumbs.db", "@eaDir/a.jpg", "store.txt"),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        (root / "b" / "link.jpg").symlink_to("../store.txt")
        (root / "linked").symlink_to("b")
        (root / "b" / "loop").symlink_to("..")
    return folder


def hashed_by_dvc(root):
    """Names that DVC puts into the hash of a folder."""
    (stage,) = Repo(".").add(str(root), no_commit=False)
    digest = read_yaml(Path(stage.path))["outs"][0]["md5"]
    return [
        entry["relpath"] for entry in json.loads(Path(".dvc/cache/files/md5", digest[:2], digest[2:]).read_text())
    ]


def is_of_a_desktop(name):
    return any(part.startswith(".") or part in ("Thumbs.db", "@eaDir") for part in name.split("/"))


def test_files_inside_the_repository_are_those_that_dvc_hashes(repository):
    tree = read_tree(Path("data"))
    hashed = hashed_by_dvc("data")
    assert tree.files == sorted(name for name in hashed if not is_of_a_desktop(name))
    assert tree.files == ["a.jpg", "b/c.jpg", "b/link.jpg", "b/ä ß.png", "store.txt"]
    assert tree.hidden == ["b/c.skip", "b/hidden", "hidden", "only here.jpg"]
    assert tree.linked == ["b/loop", "linked"]
    assert read_tree(repository / "data").files == tree.files


def test_files_outside_the_repository_are_all_that_dvc_hashes(repository):
    repo = Repo(".")
    repo.run(name="read", cmd="echo > out", deps=["../outside"], outs=["out"], no_exec=True)
    repo.reproduce()
    tree = read_tree(Path("../outside"))
    assert tree.hidden == []
    assert "b/hidden/d.jpg" in tree
    of_desktops = [
        path for path in Path("../outside").rglob("*") if path.is_file() and is_of_a_desktop(str(path)[3:])
    ]
    assert len(of_desktops) == 5
    assert read_yaml(Path("dvc.lock"))["stages"]["read"]["deps"][0]["nfiles"] == len(tree.files) + len(of_desktops)


def test_files_are_listed_without_a_repository(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "hidden/e.jpg" in read_tree(Path("project/data"))


@pytest.mark.parametrize("link", ["cam2", "cam2/0003", "exp", "more"])
def test_linked_folder_in_a_data_set_is_refused_with_its_target_and_a_remedy(tmp_path, link):
    root = draw_dataset(tmp_path / "data", images=1)
    store = tmp_path / "store"
    (root / link).rename(store) if (root / link).exists() else store.mkdir()
    (root / link).symlink_to(store)
    with pytest.raises(UserError, match="a linked folder in the data set") as error:
        sysu_images(root)
    assert error.value.where == root / link
    assert error.value.found == f"a link to {store}"
    assert f"rm {root / link}" in error.value.remedy


@pytest.mark.parametrize(
    ("draw", "find", "link"),
    [
        (draw_regdb, lambda root: regdb_images(root, 1), "Thermal"),
        (draw_regdb, lambda root: regdb_images(root, 1), "Visible/7"),
        (draw_llcm, llcm_images, "test_nir/cam2"),
        (draw_llcm, llcm_images, "vis"),
    ],
)
def test_every_layout_refuses_linked_folders(tmp_path, draw, find, link):
    root = draw(tmp_path / "data")
    (root / link).rename(tmp_path / "store")
    (root / link).symlink_to(tmp_path / "store")
    with pytest.raises(UserError, match="a linked folder in the data set"):
        find(root)


def test_linked_image_is_read_as_dvc_hashes_what_is_behind_it(tmp_path):
    root = draw_dataset(tmp_path / "data", images=1)
    records = sysu_images(root)
    (root / records[0].name).rename(tmp_path / "original.jpg")
    (root / records[0].name).symlink_to(tmp_path / "original.jpg")
    assert sysu_images(root) == records


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_folder_without_permission_is_refused(tmp_path):
    root = draw_dataset(tmp_path / "data", images=1)
    (root / "cam1" / "0003").chmod(0)
    try:
        with pytest.raises(UserError, match="a folder that cannot be read") as error:
            sysu_images(root)
    finally:
        (root / "cam1" / "0003").chmod(0o755)
    assert error.value.where == root / "cam1" / "0003"


def test_unreadable_folder_is_noted_and_refused_in_a_data_set(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.jpg").touch()
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert read_tree(tmp_path).unreadable == ["closed"]
    with pytest.raises(UserError, match="cannot be read") as error:
        read_dataset(tmp_path)
    assert error.value.where == tmp_path / "closed"


@pytest.fixture
def in_repository(tmp_path, monkeypatch):
    """An empty DVC repository that is the working directory."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("idx/", "a split file is missing"),
        ("*_1.txt", "a split file is missing"),
        ("7/", "a listed image is missing"),
    ],
)
def test_what_dvcignore_hides_is_an_error_where_it_is_listed(in_repository, pattern, message):
    root = draw_regdb(in_repository / "data")
    Path(".dvcignore").write_text(pattern + "\n")
    with pytest.raises(UserError, match=message) as error:
        regdb_images(root, 1)
    assert "hidden by .dvcignore" in error.value.found
    assert ".dvcignore" in error.value.remedy


def test_unlisted_images_that_dvcignore_hides_are_not_read(in_repository):
    root = draw_dataset(in_repository / "data")
    records = sysu_images(root)
    Path(".dvcignore").write_text("**/cam1/*/0001.jpg\n")
    expected = [r for r in records if not (r.name.startswith("cam1/") and r.name.endswith("/0001.jpg"))]
    assert len(expected) == len(records) - 14
    assert sysu_images(root) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "cam1/.DS_Store", "cam1/0001/.DS_Store", "cam1/0001/._0001.jpg", "exp/._train_id.txt"),
        *("cam1/0001/Thumbs.db", "cam1/0001/desktop.ini", ".Trash-1000/files/x.jpg", "cam3/0002/@eaDir/1.jpg"),
    ],
)
def test_what_desktops_leave_changes_nothing(tmp_path, name):
    root = draw_dataset(tmp_path / "data", images=1)
    records = sysu_images(root)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"x")
    assert sysu_images(root) == records


@pytest.mark.parametrize("name", ["test_nir/.DS_Store", "test_nir/cam1/0002/._x.jpg", "test_vis/Thumbs.db"])
def test_what_desktops_leave_changes_nothing_in_llcm(tmp_path, name):
    root = draw_llcm(tmp_path / "data")
    records = llcm_images(root)
    (root / name).write_bytes(b"x")
    assert llcm_images(root) == records


@pytest.mark.parametrize("ending", [".tif", ".TIFF", ".webp", ".png"])
def test_layouts_take_every_ending_that_is_decoded(tmp_path, ending):
    root = draw_dataset(tmp_path / "data", images=1)
    (root / "cam1/0001/0001.jpg").rename(root / f"cam1/0001/0001{ending}")
    assert f"cam1/0001/0001{ending}" in {record.name for record in sysu_images(root)}
