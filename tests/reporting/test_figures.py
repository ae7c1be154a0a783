"""Figures: drawn from made-up results, repeating to the byte, refusing what they cannot read. CPU, seconds."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images, open_images
from vireid.datasets.protocols import protocol_named
from vireid.params import Figures
from vireid.reporting.cmc import draw_cmc
from vireid.reporting.distances import draw_distances
from vireid.reporting.figures import Sources, draw_figures
from vireid.reporting.nothing_to_show import NothingToShow
from vireid.reporting.style import figure_file
from vireid.reporting.training import draw_panel, draw_training, read_curves
from vireid.retrieval.evaluation import evaluate
from vireid.support.errors import UserError

pytestmark = pytest.mark.filterwarnings("error")  # such as those of missing glyphs

RIGHT, WRONG = (0x1A, 0x8F, 0x3C), (0xD1, 0x24, 0x2F)  # colours of the frames


@pytest.fixture(scope="module")
def features():
    return random_features(pids=range(1, 7), visible=1, infrared=1, noise=0.5)


@pytest.fixture(scope="module")
def images(features, tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "images.h5"
    with create_images(path, ImagesInfo("synthetic", 0, 8, 4, "cd" * 32)) as writer:
        for modality in Modality:
            part = features.group(modality)
            records = [
                ImageRecord(name, int(pid), int(camid), modality, "test")
                for name, pid, camid in zip(part.name, part.pid, part.camid, strict=True)
            ]
            brightness = np.arange(len(part), dtype=np.uint8)[:, None, None, None]
            writer.append(records, np.broadcast_to(brightness, (len(part), 8, 4, 3)))
    return path


@pytest.fixture
def training(tmp_path):
    """Curves, to be broken."""
    return write_curves(tmp_path)


def write_curves(root):
    curves = {"loss/total": [3, 2, 1], "loss/joint": [2, 1, 1], "lr": [0.1, 0.2, 0.1], "holdout/mAP": [20]}
    for name, values in curves.items():
        file = root / "plots" / "metrics" / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{step}\t{value}\n" for step, value in enumerate(values)]
        file.write_text(f"step\t{file.stem}\n" + "".join(rows))
    return root / "plots"


@pytest.fixture(scope="module")
def first(features, images, tmp_path_factory):
    """A folder of figures of three queries, and what is in it; not to be changed."""
    root = tmp_path_factory.mktemp("first")
    return root / "figures", drawn(root / "figures", features, images, write_curves(root))


def drawn(folder, features, images, training, queries=3):
    evaluations = [
        evaluate(features, protocol_named(f"synthetic/{name}"), (1, 5))
        for name in ("all_search/single_shot", "indoor_search/single_shot")
    ]
    settings = Figures(ranked_queries=queries, worst_queries=queries, embedded_pids=4)
    draw_figures(folder, evaluations, features, Sources(images, training), settings)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_figures_are_pictures_and_repeat_to_the_byte(first, features, images, training, tmp_path):
    folder, content = first
    pictures = {"ranked_lists.png", "worst_queries.png"}
    assert set(content) == {"cmc.png", "distances.png", "embedding_map.png", "training.png"} | pictures
    for name in content:
        with Image.open(folder / name) as picture:
            assert picture.width >= 700
            assert picture.convert("L").getextrema()[0] < 100
    assert drawn(tmp_path / "again", features, images, training) == content


def test_figures_without_a_source_are_left_out(features, training, tmp_path):
    assert set(drawn(tmp_path / "figures", features, None, None)) == {
        "cmc.png",
        "distances.png",
        "embedding_map.png",
    }


def test_ranked_lists_frame_right_and_wrong_apart(first, features, images, training, tmp_path):
    def colours(folder):
        with Image.open(folder / "ranked_lists.png") as picture:
            return {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24)}

    drawn(tmp_path / "figures", features, images, training, queries=1)
    one, three = colours(tmp_path / "figures"), colours(first[0])
    assert three[RIGHT] > one[RIGHT] > 100
    assert three[WRONG] > one[WRONG] > 100


def test_earlier_figures_are_replaced_whole_or_left(features, images, training, tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "old.png").touch()
    with pytest.raises(UserError):
        drawn(folder, features, images, tmp_path / "nowhere")
    assert [file.name for file in folder.iterdir()] == ["old.png"]
    assert "old.png" not in drawn(folder, features, images, training)
    assert not list(tmp_path.glob("*.partial"))


def test_pictures_are_found_by_name(features, images):
    names = features.visible.name[[5, 2, 5]].tolist()
    with open_images(images) as reader:
        pictures = reader.pictures("test", Modality.VISIBLE, names)
    assert {name: int(picture.max()) for name, picture in pictures.items()} == {names[0]: 5, names[1]: 2}


def test_missing_picture_is_named(images):
    with open_images(images) as reader, pytest.raises(UserError, match=r"cam9/0001/0001\.jpg"):
        reader.pictures("test", Modality.VISIBLE, ["cam9/0001/0001.jpg"])


def test_curves_of_a_folder_share_a_panel(training):
    panels = read_curves(training)
    assert {name: set(curves) for name, curves in panels.items()} == {
        "loss": {"total", "joint"},
        "lr": {"lr"},
        "holdout": {"mAP"},
    }
    assert list(panels) == ["loss", "lr", "holdout"]
    assert panels["loss"]["total"].tolist() == [3, 2, 1]


def test_other_metrics_get_panels_of_their_own(training):
    (training / "metrics" / "speed.tsv").write_text("step\tspeed\n0\t9\n")
    assert list(read_curves(training)) == ["loss", "lr", "holdout", "speed"]


@pytest.mark.parametrize(
    ("panel", "curves", "named"),
    [("lr", ["lr"], False), ("train", ["accuracy"], True), ("loss", ["a", "b"], True)],
)
def test_legend_names_curves_that_the_title_does_not(panel, curves, named):
    axes = Figure().subplots()
    draw_panel(axes, panel, {name: pd.Series([1.0, 2.0]) for name in curves})
    legend = axes.get_legend()
    assert (legend is not None) == named
    assert not named or [text.get_text() for text in legend.get_texts()] == curves


@pytest.mark.parametrize("content", ["", "step\tother\n0\t1\n", "step\ttotal\n0\tmuch\n", "total\n1\n"])
def test_table_without_its_columns_is_refused(training, content):
    (training / "metrics" / "loss" / "total.tsv").write_text(content)
    with pytest.raises(UserError, match=r"total\.tsv"):
        read_curves(training)


def test_curves_without_a_value_are_left_out(training, tmp_path):
    for name, left in (("holdout/mAP", {"loss", "lr"}), ("lr", {"loss"})):
        (training / "metrics" / f"{name}.tsv").write_text(f"step\t{name.split('/')[-1]}\n")
        assert set(read_curves(training)) == left
    for file in (training / "metrics" / "loss").iterdir():
        file.write_text(f"step\t{file.stem}\n")
    with pytest.raises(NothingToShow, match="no epoch"):
        draw_training(tmp_path / "training.png", training)


@pytest.mark.parametrize("values", [[2.5], [1.0, math.nan], [math.nan, math.nan]])
def test_curves_of_one_epoch_or_of_nan_are_drawn(tmp_path, values):
    file = tmp_path / "metrics" / "loss" / "total.tsv"
    file.parent.mkdir(parents=True)
    file.write_text("step\ttotal\n" + "".join(f"{step}\t{value}\n" for step, value in enumerate(values)))
    draw_training(tmp_path / "training.png", tmp_path)
    with Image.open(tmp_path / "training.png") as picture:
        assert picture.convert("L").getextrema()[0] < 100


def test_legend_of_the_cmc_lies_on_no_curve(tmp_path, monkeypatch):
    """Weak results lie where a legend inside the axes would, low at the right."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **options: figures.append(self) or save(self, *args, **options)
    )
    weak = random_features(pids=range(1, 30), noise=5.0)
    names = ("all_search/single_shot", "all_search/multi_shot")
    draw_cmc(tmp_path / "cmc.png", [evaluate(weak, protocol_named(f"synthetic/{name}"), (1, 5)) for name in names])
    (figure,) = figures
    assert not figure.legends[0].get_window_extent().overlaps(figure.axes[0].get_window_extent())


@pytest.mark.parametrize(
    "name", ["x$_$y.jpg", b"\xff.jpg".decode(errors="surrogateescape"), "\u4e2d\u6587", "\U0001f9d1"]
)
def test_any_text_is_drawn_without_a_warning(tmp_path, name):
    """As title, label of an axis, legend and free text; another name is another picture."""
    pictures = []
    for text in (name, name + name):
        with figure_file(tmp_path / "text.png", 4, 3) as figure:
            axes = figure.subplots()
            axes.set(title=text, xlabel=text)
            axes.plot([1, 2], label=text)
            axes.legend()
            axes.text(1, 1, text)
        pictures.append((tmp_path / "text.png").read_bytes())
    assert pictures[0] != pictures[1]


def test_missing_curves_are_refused(tmp_path):
    with pytest.raises(UserError, match="no training curves"):
        read_curves(tmp_path)


@pytest.mark.parametrize(
    "vectors",
    [lambda rows: np.ones((rows, 4)), lambda rows: np.zeros((rows, 4)), lambda rows: np.eye(rows)],
    ids=["all equal", "all zero", "all equally far"],
)
def test_equal_distances_have_a_histogram(tmp_path, monkeypatch, vectors):
    bins = []
    hist = Axes.hist
    monkeypatch.setattr(
        Axes, "hist", lambda self, *args, **options: bins.append(options["bins"]) or hist(self, *args, **options)
    )
    images = layout(range(1, 5), (1, 3), 2)
    features = features_of(*[feature_set(images, vectors(len(images)))] * 2)
    draw_distances(tmp_path / "distances.png", features, protocol_named("synthetic/all_search/single_shot"))
    assert all((np.diff(edges) > 1e-3).all() for edges in bins)


def test_no_pair_of_one_identity_has_no_histogram(tmp_path):
    features = features_of(feature_set([(1, 1), (2, 1)], np.eye(2)), feature_set([(3, 3), (4, 3)], np.eye(2)))
    with pytest.raises(NothingToShow, match="no two images of one identity"):
        draw_distances(tmp_path / "distances.png", features, protocol_named("synthetic/all_search/single_shot"))
