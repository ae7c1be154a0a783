"""A map of the embedding: images of some identities in the plane, neighbours next to each other (t-SNE)."""

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from threadpoolctl import threadpool_limits

from vireid.data.records import Modality
from vireid.datasets.protocol import Protocol
from vireid.reporting.figure_text import Place, fitted
from vireid.reporting.nothing_to_show import NothingToShow
from vireid.reporting.style import INK, figure_file
from vireid.retrieval.collapse import all_but_equal
from vireid.retrieval.distances import unit_length
from vireid.retrieval.features import Features

_IMAGES = 12  # of an identity and modality at most
_PERPLEXITY = 15  # about the images of an identity in one modality
_MARKERS = {Modality.VISIBLE: "o", Modality.INFRARED: "^"}
_WIDTH = 6.8  # inches
_TITLE = 11  # points
_DPI = 160
_REACH = 0.54  # of the points' extent, from the middle of the map to its edge
_FEWEST = 5  # images, below which there is nothing to arrange


def draw_embedding_map(path: Path, features: Features, protocol: Protocol, pids: int) -> None:
    """Draw the images of some identities, coloured by identity and marked by modality.

    Where a method works, the triangles and the circles of one colour lie together.

    Args:
        path: The figure.
        features: What was evaluated.
        protocol: Says whether embeddings are scaled to unit length.
        pids: Number of identities, at even steps among those seen in both modalities.

    Raises:
        NothingToShow: If too few images show identities seen in both modalities, or all images of each modality
            have the same embedding.
    """
    chosen = _chosen_pids(features, pids)
    rows = {modality: _rows(features, modality, chosen) for modality in Modality}
    parts = [torch.from_numpy(features.vectors(modality, rows[modality])).double() for modality in Modality]
    vectors = [(unit_length(part) if protocol.normalise else part).numpy() for part in parts]
    if sum(map(len, vectors)) < _FEWEST:
        raise NothingToShow(f"fewer than {_FEWEST} images are of identities that both modalities saw")
    if all(map(all_but_equal, vectors)):
        raise NothingToShow("the embedding has collapsed: the images of each modality all have the same vector")
    points = project(np.concatenate(vectors))
    with figure_file(path, _WIDTH, 5.6, dpi=_DPI) as figure:
        axes = figure.subplots()
        start = 0
        for modality in Modality:
            part = points[start : start + len(rows[modality])]
            start += len(part)
            _draw_points(axes, part, features.group(modality).pid[rows[modality]], chosen, modality)
        # A square of the wider extent: the points may all lie on a line.
        middle, reach = (points.max(axis=0) + points.min(axis=0)) / 2, _REACH * np.ptp(points, axis=0).max()
        xlim, ylim = zip(middle - reach, middle + reach, strict=True)
        axes.set(xticks=[], yticks=[], aspect="equal", xlim=xlim, ylim=ylim)
        axes.spines[:].set_visible(False)
        title = (
            f"t-SNE of {features.info.method}, embedding {features.embedding}: {len(chosen)} identities by colour"
        )
        title = fitted(title, Place(0.96 * _WIDTH, lines=3, size=_TITLE, dpi=_DPI, weight="bold"))
        figure.suptitle(title, x=0.02, ha="left", fontsize=_TITLE, weight="bold")
        legend = [
            Line2D([], [], color=INK, marker=marker, linestyle="", label=modality.group)
            for modality, marker in _MARKERS.items()
        ]
        figure.legend(handles=legend, loc="outside lower center", ncols=2, fontsize=9)


def project(vectors: np.ndarray) -> np.ndarray:
    """Arrange vectors in the plane by t-SNE; the same vectors always give the same points.

    L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", JMLR 2008.

    Args:
        vectors: (N, D) float64, not all equal: t-SNE starts from principal components divided by their spread. If
            that were zero they would be NaN, and scikit-learn's tree of points would end the process.

    Returns:
        (N, 2) float32.
    """
    from sklearn.manifold import TSNE  # a second to import

    centred = vectors - vectors.mean(axis=0)
    scaled = centred / np.abs(centred).max()  # its squares neither overflow nor vanish in float32
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    init = "pca" if vectors.shape[1] > 1 else "random"
    # While torch's threads wait for work, several threads are ten times slower than one. The points are the same.
    with threadpool_limits(1):
        return TSNE(2, perplexity=perplexity, init=init, random_state=0).fit_transform(scaled)


def _chosen_pids(features: Features, count: int) -> np.ndarray:
    both = np.intersect1d(*(images.pid[images.identified] for images in (features.visible, features.infrared)))
    return both[np.linspace(0, len(both) - 1, min(count, len(both))).astype(int)] if len(both) else both


def _rows(features: Features, modality: Modality, pids: np.ndarray) -> np.ndarray:
    """List images of each identity at even steps by camera and name, so that every camera is there."""
    images = features.group(modality)
    order = np.lexsort([images.name.astype(str), images.camid])
    cells = [order[images.pid[order] == pid] for pid in pids]
    steps = [cell[np.linspace(0, len(cell) - 1, min(_IMAGES, len(cell))).astype(int)] for cell in cells]
    return np.concatenate([np.empty(0, int), *steps])


def _draw_points(axes: Axes, points: np.ndarray, pids: np.ndarray, chosen: np.ndarray, modality: Modality) -> None:
    palette = matplotlib.colormaps["tab20"]
    colours = [to_hex(palette(place % palette.N)) for place in np.searchsorted(chosen, pids)]
    axes.scatter(
        points[:, 0],
        points[:, 1],
        c=colours,
        marker=_MARKERS[modality],
        s=26,
        linewidths=0.6,
        edgecolors="white" if modality is Modality.VISIBLE else INK,
    )
