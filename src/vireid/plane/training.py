"""Training in the plane: a few identities, one loss, and where their images end up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.data.store import ImageSet, ImagesInfo, open_images
from vireid.losses.gather import alone
from vireid.losses.identity import identity_loss
from vireid.losses.pentaplet import pentaplet_loss
from vireid.methods.base import Batch
from vireid.methods.hpiln.architecture import Architecture
from vireid.methods.hpiln.method import TERMS
from vireid.params import Train
from vireid.plane.network import PlaneNetwork
from vireid.support.errors import UserError
from vireid.support.progress import progress
from vireid.training.data import TrainingImages
from vireid.training.loader import Loader

_AT_ONCE = 128  # images that are embedded together


def few_identities(images: Path, count: int) -> TrainingImages:
    """Take the first identities that both spectra show in training, and nothing held out.

    Args:
        images: The packed images.
        count: Number of identities.

    Raises:
        UserError: If there are fewer.
    """
    with open_images(images) as file:
        stored = [file.stored("train", modality) for modality in Modality]
        pids = np.intersect1d(stored[0].pid, stored[1].pid)
        if len(pids) < count:
            raise UserError(
                images,
                "too few identities that both spectra show",
                expected=f"{count}, as --pids says",
                found=len(pids),
                remedy="lower --pids",
            )
        visible, infrared = (_in_memory(part.select(pids[:count])) for part in stored)
        info: ImagesInfo = file.info
    nothing = np.empty(0, pids.dtype)
    return TrainingImages(
        info, (visible, infrared), (visible.select(nothing), infrared.select(nothing)), pids[:count]
    )


def train_in_plane(
    images: TrainingImages,
    model: Architecture,
    train: Train,
    kind: str,
    margin: float,
    seed: int,
    device: torch.device,
) -> pd.DataFrame:
    """Train the toy network by one loss from the same start and on the same batches as by any other.

    Args:
        images: A few identities.
        model: Whose trunk and Res-Mid are taken.
        train: Batches, augmentation, steps and learning rate of Adam.
        kind: `identity`, `hp` or `hpi`.
        margin: Of the pentaplet loss.
        seed: Of the weights and the batches.
        device: Where to compute.

    Returns:
        Columns loss, pid, spectrum, x and y: a row for each image.
    """
    torch.manual_seed(seed)
    network = PlaneNetwork(len(images.pids), model.trunk, model.res_mid).to(device)
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, train.lr, weight_decay=train.weight_decay)
    loader = Loader(images, train, seed, device, workers=0)
    with progress(f"train by {kind}", len(loader), "steps") as bar:
        for batch in loader.epoch(0):
            optimizer.zero_grad()
            plane_loss(network, batch, kind, margin).backward()
            optimizer.step()
            bar.advance(1)
    return pd.concat(
        [
            _placed(network.eval(), part, modality, kind, device)
            for modality, part in zip(Modality, images.fitted, strict=True)
        ]
    )


def _in_memory(images: ImageSet) -> ImageSet:
    return replace(images, image=np.asarray(images.image[:]))


def plane_loss(network: nn.Module, batch: Batch, kind: str, margin: float) -> Tensor:
    """The sum of a loss's terms (`methods.hpiln.method.TERMS`) on a batch, a scalar.

    Args:
        network: Gives points (B, 2) and logits (B, N) for images.
        batch: What it is trained on.
        kind: `identity`, `hp` or `hpi`.
        margin: Of the pentaplet loss.
    """
    points, logits = network(batch.images)
    terms = {
        "identity": lambda: identity_loss(logits, batch.labels),
        "pentaplet": lambda: pentaplet_loss(points, batch.labels, batch.visible, margin, alone),
    }
    return torch.stack([terms[term]() for term in TERMS[kind]]).sum()


@torch.inference_mode()
def _placed(
    network: PlaneNetwork, images: ImageSet, modality: Modality, kind: str, device: torch.device
) -> pd.DataFrame:
    pixels = torch.from_numpy(np.asarray(images.image)).to(device)
    points = torch.cat([network(normalise(part))[0] for part in pixels.split(_AT_ONCE)]).cpu().numpy()
    columns = {"loss": kind, "pid": images.pid, "spectrum": modality.group, "x": points[:, 0], "y": points[:, 1]}
    return pd.DataFrame(columns)
