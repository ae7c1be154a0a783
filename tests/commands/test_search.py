"""`vireid search`: what is found in a folder of pictures, how a gallery is kept, how it fails. CPU, seconds."""

import json
import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.made import CAMERAS
from tests.refusals import refused
from vireid.cli import app
from vireid.search import gallery as gallery_file
from vireid.search.gallery import read_gallery
from vireid.steps.extract import extract

SPECTRA = ("--query-modality", "infrared", "--gallery-modality", "visible")
TEST = (13, 14)


@pytest.fixture(autouse=True)
def _leave_threads_as_they_are(workplace):
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def photos(dataset, tmp_path):
    """The visible pictures of the test identities."""
    for camid in (1, 2, 4, 5):
        for pid in TEST:
            shutil.copytree(
                dataset / f"cam{camid}" / f"{pid:04d}", tmp_path / "photos" / f"cam{camid}" / f"{pid:04d}"
            )
    return tmp_path / "photos"


@pytest.fixture
def query(dataset):
    return dataset / "cam3" / "0013" / "0001.jpg"


@pytest.fixture
def run(model_folder):
    def search(*options, model=model_folder):
        arguments = ["search", *options, "--model", model, "--device", "cpu"]
        return CliRunner().invoke(app, list(map(str, arguments)))

    return search


def ranking(result):
    """Read (distance, picture) of a printed table."""
    assert result.exit_code == 0, result.output
    rows = re.findall(r"^ +\d+ +(\d\.\d{4}) +(?:\d+ +)?(\S+)", result.stdout, re.M)
    return [(float(distance), name) for distance, name in rows]


def test_folder_is_ranked_as_the_features_of_extract_are(
    run, photos, query, params, images_file, model_folder, dataset
):
    extract(params, images_file, model_folder, photos.parent / "features.h5")
    found = ranking(run(query, "--gallery", photos, *SPECTRA, "--top", 16))
    assert len(found) == 16
    same = run(query, "--gallery", photos.parent / "features.h5", "--pictures", dataset, *SPECTRA, "--top", 16)
    expected = {name: distance for distance, name in ranking(same)}
    assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)
    for distance, name in found:
        assert distance == pytest.approx(expected[name], abs=0.01)  # other batches, other rounding


def test_16_bit_pictures_are_read_as_the_models_data_set_was(run, photos, model_folder, tmp_path):
    names = sorted(photos.glob("cam1/*/*.jpg"))
    for number, path in enumerate(names):
        grey = Image.open(path).convert("L")
        grey.save(photos / f"{number}.png")
        Image.fromarray(7000 + 4 * np.asarray(grey).astype(np.uint16)).save(tmp_path / f"counts{number}.png")
    model = shutil.copytree(model_folder, tmp_path / "model")
    description = json.loads((model / "model.json").read_text())
    assert description["images"]["sixteen_bit"] == "percentiles 0.5 99.5"
    description["images"]["sixteen_bit"] = "window 7000.0 8020.0"
    (model / "model.json").write_text(json.dumps(description))
    spectra = ("--query-modality", "visible", "--gallery-modality", "visible")
    for number in range(len(names)):
        result = run(tmp_path / f"counts{number}.png", "--gallery", photos, *spectra, "--top", 1, model=model)
        assert ranking(result)[0] == (0.0, f"{number}.png")
    description["images"]["sixteen_bit"] = "auto"
    (model / "model.json").write_text(json.dumps(description))
    refused(run(tmp_path / "counts0.png", "--gallery", photos, *spectra, model=model), "unknown scaling", "auto")


def test_sheet_shows_queries_and_their_pictures(run, photos, query, dataset):
    other = dataset / "cam6" / "0014" / "0002.jpg"
    sizes = []
    for number, queries in enumerate(((query,), (query, other))):
        result = run(*queries, "--gallery", photos, *SPECTRA, "--top", 4, "--sheet", f"{number}.png")
        assert f"{number}.png: {len(queries)} of {len(queries)} queries" in result.stdout
        with Image.open(f"{number}.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] > 400
    assert sizes[1][1] > 1.5 * sizes[0][1]


@pytest.mark.filterwarnings("error:Glyph")
def test_names_as_users_have_them_are_found_and_drawn(run, photos, query, tmp_path):
    names = ["cam[left]_001.jpg", "x$_$y.jpg", "\u4e2d\u6587.jpg"]
    for name, picture in zip(names, sorted(photos.rglob("*.jpg")), strict=False):
        picture.rename(photos / name)
    odd = tmp_path / b"caf\xe9[w].jpg".decode(errors="surrogateescape")
    shutil.copy(query, odd)
    result = run(odd, "--gallery", photos, *SPECTRA, "--top", 99)
    assert set(names) <= {name for _, name in ranking(result)}
    assert r"caf\xe9[w].jpg" in "".join(result.stdout.splitlines())
    assert "search.png: 1 of 1 queries" in result.stdout


def test_picture_or_text_in_the_place_of_the_gallery_is_told_what_a_gallery_is(run, query):
    refused(
        run(query, "--gallery", query, "--query-modality", "infrared"), "not an HDF5 file", "a folder of pictures"
    )


def test_folder_in_the_place_of_a_query_is_called_so(run, photos):
    refused(run(photos, "--gallery", photos, *SPECTRA), "no such query", "a folder")


def test_sheet_inside_the_gallery_is_refused(run, photos, query):
    refused(run(query, "--gallery", photos, *SPECTRA, "--sheet", photos / "sheet.png"), "picture of the gallery")


def test_unreadable_query_is_refused_before_the_gallery_is_embedded(run, photos, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"text")
    result = run(tmp_path / "bad.jpg", "--gallery", photos, *SPECTRA)
    refused(result, "bad.jpg", "cannot be read")
    assert "embed" not in result.stderr


def test_saved_gallery_finds_the_same_without_embedding_again(run, photos, query):
    first = run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    second = run(query, "--gallery", "kept.h5", "--query-modality", "infrared")
    assert ranking(second) == ranking(first)
    assert "embed" in first.stderr
    assert "embed" not in second.stderr


def test_saving_twice_gives_the_same_bytes(run, photos, query):
    for name in ("first.h5", "again.h5"):
        assert run(query, "--gallery", photos, *SPECTRA, "--save", name).exit_code == 0
    assert (photos.parent / "first.h5").read_bytes() == (photos.parent / "again.h5").read_bytes()


def test_big_gallery_gets_an_index_and_says_so(run, photos, query, monkeypatch):
    monkeypatch.setattr(gallery_file, "EXACT_UP_TO", 10)
    first = run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    assert (photos.parent / "kept.h5.faiss").is_file()
    second = run(query, "--gallery", "kept.h5", "--query-modality", "infrared")
    assert "approximate" in second.stdout
    assert ranking(second)
    assert set(ranking(second)) <= set(ranking(first)) | set(ranking(run(query, "--gallery", photos, *SPECTRA)))
    exact = run(query, "--gallery", "kept.h5", "--query-modality", "infrared", "--exact")
    assert "compared all 16" in exact.stdout
    assert ranking(exact) == ranking(run(query, "--gallery", photos, *SPECTRA))
    (photos.parent / "kept.h5.faiss").write_bytes(b"other")
    refused(run(query, "--gallery", "kept.h5", "--query-modality", "infrared"), "not the index", "--exact")


def test_manifest_says_what_pictures_are_and_whom_they_show(run, dataset, tmp_path):
    rows = []
    for camid, spectrum in CAMERAS.items():
        for pid in TEST:
            shutil.copytree(dataset / f"cam{camid}" / f"{pid:04d}", tmp_path / "own" / f"c{camid}" / str(pid))
            rows += [(f"c{camid}/{pid}/{n:04d}.jpg", pid, camid, spectrum, "test") for n in (1, 2)]
    columns = ["path", "pid", "camid", "modality", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "own" / "manifest.csv", index=False)
    result = run(tmp_path / "own" / "c3" / "13" / "0001.jpg", "--gallery", tmp_path / "own", "--top", 99)
    assert "id 13" in result.stdout
    assert "16 visible pictures" in result.stdout
    assert {name.split("/")[0] for _, name in ranking(result)} == {"c1", "c2", "c4", "c5"}
    within = run(tmp_path / "own/c3/13/0001.jpg", "--gallery", tmp_path / "own", "--gallery-modality", "infrared")
    assert ranking(within)[0] == (0, "c3/13/0001.jpg")


def test_unreadable_picture_is_an_error_or_counted(run, photos, query):
    (photos / "cam1" / "0013" / "0001.jpg").write_bytes(b"no image")
    refused(run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5"), "0001.jpg", "--on-bad-image skip")
    assert not (photos.parent / "kept.h5").exists()
    result = run(query, "--gallery", photos, *SPECTRA, "--on-bad-image", "skip", "--top", 99, "--save", "kept.h5")
    assert "warning: 1 pictures cannot be read and were not searched" in result.stderr
    assert len(ranking(result)) == 15
    assert len(read_gallery(photos.parent / "kept.h5").name) == 15


def test_what_desktops_leave_is_no_picture_of_a_gallery(run, photos, query):
    before = ranking(run(query, "--gallery", photos, *SPECTRA))
    for name in (".Trash-1000/files/x.jpg", "._p.jpg", "cam1/@eaDir/x.jpg", "cam1/.hidden.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"no picture")
    result = run(query, "--gallery", photos, *SPECTRA)
    assert ranking(result) == before
    assert "passed over" not in result.output


def test_pictures_that_are_passed_over_are_counted(run, photos, query):
    before = ranking(run(query, "--gallery", photos, *SPECTRA))
    for name in ("a.heic", "cam1/b.HEIC", "c.gif", "d.mp4", "README.txt", "list.csv"):
        (photos / name).write_bytes(b"")
    (photos / "far").symlink_to(photos)
    result = run(query, "--gallery", photos, *SPECTRA)
    assert ranking(result) == before
    assert "passed over: 2 .heic, 1 .gif, 1 .mp4; 1 linked folder (far)\n" in result.stdout


def test_pictures_in_every_format_are_searched(run, photos, query):
    for number, ending in enumerate((".webp", ".tif", ".TIFF", ".bmp")):
        Image.open(photos / "cam1/0013/0001.jpg").save(photos / f"{number}{ending}")
    result = run(query, "--gallery", photos, *SPECTRA, "--top", "40", "--on-bad-image", "skip")
    assert "cannot be read" not in result.stderr
    assert {f"{number}" for number in range(4)} <= {name.split(".")[0] for _, name in ranking(result)}


def test_gallery_without_a_picture_that_is_read_says_what_there_is(run, tmp_path, query):
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "IMG_1.HEIC").write_bytes(b"")
    refused(
        run(query, "--gallery", tmp_path / "phone", *SPECTRA), "no picture in the folder", "passed over: 1 .heic"
    )


def test_manifest_beside_a_linked_folder_can_be_searched(run, photos, query):
    (photos / "far").symlink_to(photos)
    (photos / "manifest.csv").write_text(
        "path,pid,camid,modality,split\n./cam1/0013/0001.jpg,13,1,visible,test\n", encoding="utf-8"
    )
    result = run(query, "--gallery", photos, "--query-modality", "infrared")
    assert [name for _, name in ranking(result)] == ["cam1/0013/0001.jpg"]
    (photos / "manifest.csv").write_text(
        "path,pid,camid,modality,split\nfar/cam1/0013/0001.jpg,13,1,visible,test\n"
    )
    refused(run(query, "--gallery", photos, "--query-modality", "infrared"), "behind far, a link to")


def test_gallery_of_another_model_is_refused(run, photos, query):
    run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    with h5py.File("kept.h5", "r+") as file:
        file.attrs["model_hash"] = "ab" * 32
    refused(run(query, "--gallery", "kept.h5", "--query-modality", "infrared"), "another model")


def test_gallery_of_another_embedding_is_refused(run, photos, query):
    run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    options = ("--gallery", "kept.h5", "--query-modality", "infrared", "--embedding", "pool5")
    refused(run(query, *options), "a gallery of another embedding")


def test_pictures_that_have_moved_are_named(run, photos, query):
    run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    photos.rename(photos.parent / "moved")
    refused(run(query, "--gallery", "kept.h5", "--query-modality", "infrared"), "photos", "--pictures")
    moved = run(
        query, "--gallery", "kept.h5", "--query-modality", "infrared", "--pictures", photos.parent / "moved"
    )
    assert moved.exit_code == 0


def test_name_that_leads_out_of_the_folder_is_refused(run, photos, query):
    run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    with h5py.File("kept.h5", "r+") as file:
        file["name"][:] = "../../etc/passwd"
    refused(run(query, "--gallery", "kept.h5", "--query-modality", "infrared"), "leads out of the folder")


def spoil_rows(path):
    with h5py.File(path, "r+") as file:
        del file["pid"]
        file["pid"] = np.zeros(3, "i4")


def spoil_column(path):
    with h5py.File(path, "r+") as file:
        del file["vectors"]


def spoil_end(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("spoil", [spoil_rows, spoil_column, spoil_end])
def test_broken_gallery_is_one_message(run, photos, query, spoil):
    run(query, "--gallery", photos, *SPECTRA, "--save", "kept.h5")
    spoil(photos.parent / "kept.h5")
    refused(run(query, "--gallery", "kept.h5", "--query-modality", "infrared"), "kept.h5", "--save")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gallery-modality", "visible"), "nobody says what the query is"),
        (("--query-modality", "infrared"), "nobody says what the gallery's pictures are"),
        ((*SPECTRA, "--embedding", "no"), "no such embedding"),
    ],
)
def test_missing_or_wrong_option_is_one_message(run, photos, query, options, message):
    refused(run(query, "--gallery", photos, *options), message)


def test_missing_files_are_one_message(run, photos, query, tmp_path):
    refused(run(tmp_path / "none.jpg", "--gallery", photos, *SPECTRA), "no such query")
    refused(run(query, "--gallery", tmp_path / "none.h5", *SPECTRA), "none.h5")
    refused(run(query, "--gallery", photos, *SPECTRA, model=tmp_path / "none"), "there is no model")
    (tmp_path / "empty").mkdir()
    refused(run(query, "--gallery", tmp_path / "empty", *SPECTRA), "no picture in the folder")
    (tmp_path / "bad.jpg").write_bytes(b"")
    refused(run(tmp_path / "bad.jpg", "--gallery", photos, *SPECTRA), "bad.jpg: a picture that cannot be read")
