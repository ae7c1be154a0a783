"""SRCNN, which sharpens the training images of one visible camera before FPRnet sees them (papers' Table 7).

Bicubic 2x of the luma, conv 9x9 (64), ReLU, conv 1x1 (32), ReLU, dropout, conv 5x5 (4), PixelShuffle(2): 4x.
After Dong et al. (TPAMI 2016), with the pixel shuffle of Shi et al. (CVPR 2016). Colour is enlarged bicubically.

Deviations from the FPRnet paper: with `residual` the network adds to the bicubic enlargement instead of drawing
the image anew; whole images or `patch`es; the optimiser is a parameter; the enlarged image goes straight to the
packed size, without the paper's step at 256x256. The paper's literal recipe is `conf/superresolve/paper.yaml` (its
momentum, which the paper does not state, is a guess); plain SGD at 0.001 ends below bicubic.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from vireid.data.decode import decode, quiet_pillow
from vireid.params import Superresolve
from vireid.support.errors import UserError
from vireid.support.files import inside
from vireid.support.progress import progress, track

SCALE = 4
_BATCH = 32
_MAX_PSNR = 100.0  # dB, for an image that is reproduced exactly, as a black one is
# ITU-R BT.601 luma and colour differences of RGB in [0, 1], centred at 0 (the YCbCr of JPEG).
_YCBCR = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=torch.float64
)


class SRCNN(nn.Module):
    """Luma (B, 1, h, w) to luma (B, 1, 4h, 4w), in [0, 1]."""

    def __init__(self, residual: bool, dropout: float):
        super().__init__()
        self.residual = residual
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 9, padding=4),
            nn.ReLU(),
            nn.Conv2d(64, 32, 1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(32, 4, 5, padding=2),
            nn.PixelShuffle(2),
        )
        if residual:  # start as bicubic enlargement
            nn.init.zeros_(self.layers[5].weight)
            nn.init.zeros_(self.layers[5].bias)

    def forward(self, luma: Tensor) -> Tensor:
        """Enlarge 4x."""
        drawn = self.layers(bicubic(luma, 2))
        return drawn + bicubic(luma, SCALE) if self.residual else drawn


def bicubic(images: Tensor, factor: float) -> Tensor:
    """Scale (B, C, h, w) by a factor, antialiased where it is below 1."""
    return interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False, antialias=factor < 1)


def rgb_to_ycbcr(images: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1] to luma in [0, 1] and colour differences in [-0.5, 0.5]."""
    return torch.einsum("yc,bchw->byhw", _YCBCR.to(images), images)


def ycbcr_to_rgb(images: Tensor) -> Tensor:
    """Invert `rgb_to_ycbcr`."""
    return torch.einsum("cy,byhw->bchw", torch.linalg.inv(_YCBCR).to(images), images)


def load_originals(root: Path, names: list[str], height: int, width: int) -> np.ndarray:
    """Decode image files at a size of their own, not the packed one.

    Returns:
        (N, height, width, 3) uint8 RGB.

    Raises:
        UserError: If a file cannot be decoded.
    """
    images = np.empty((len(names), height, width, 3), np.uint8)
    with quiet_pillow():
        for row, name in enumerate(track(names, "load originals", len(names), "images")):
            images[row] = _original(root, name, height, width)
    return images


def _original(root: Path, name: str, height: int, width: int) -> np.ndarray:
    decoded = decode(inside(root, name), height, width)
    if decoded.image is None:
        raise UserError(
            root / name,
            "an image that cannot be read",
            expected="the image that ingest packed",
            found=decoded.problem,
            remedy="restore the file, or run `dvc repro` to ingest again",
        )
    return decoded.image


def train_srcnn(images: np.ndarray, settings: Superresolve, seed: int, device: torch.device) -> SRCNN:
    """Fit SRCNN to images and their reductions to a quarter.

    Args:
        images: (N, 4h, 4w, 3) uint8 RGB.
        settings: Recipe.
        seed: Decides initial weights, batches and dropout.
        device: Where to train.

    Returns:
        The network in eval mode.
    """
    torch.manual_seed(seed)
    network = SRCNN(settings.residual, settings.dropout).to(device)
    optimizer = _optimizer(network, settings)
    generator = torch.Generator().manual_seed(seed)
    network.train()
    with progress("train SRCNN", settings.iterations, "steps") as bar:
        for step in range(settings.iterations):
            if step == int(settings.lr_drop_at * settings.iterations):
                optimizer.param_groups[0]["lr"] /= 10
            target = _draw(images, settings, generator).to(device)
            loss = mse_loss(network(bicubic(target, 1 / SCALE)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.advance(note=f"loss {loss.item():.5f}" if step % 50 == 0 else None)
    return network.eval()


def _optimizer(network: SRCNN, settings: Superresolve) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), settings.lr)
    return torch.optim.SGD(network.parameters(), settings.lr, momentum=settings.momentum)


def _draw(images: np.ndarray, settings: Superresolve, generator: torch.Generator) -> Tensor:
    """Draw the luma of a batch of patches (whole images where `patch` is 0), half of them mirrored."""
    height, width = (settings.patch or size for size in images.shape[1:3])
    rows = torch.randint(len(images), (settings.batch_size,), generator=generator)
    top = torch.randint(images.shape[1] - height + 1, (), generator=generator)
    left = torch.randint(images.shape[2] - width + 1, (), generator=generator)
    patches = images[rows.numpy(), top : top + height, left : left + width]
    luma = rgb_to_ycbcr(_as_floats(patches))[:, :1]
    mirrored = torch.rand(len(luma), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], luma.flip(-1), luma)


@torch.inference_mode()
def score_against_bicubic(network: SRCNN, images: np.ndarray, device: torch.device) -> dict[str, dict[str, float]]:
    """Compare both enlargements of images' reductions with the images, on luma.

    Args:
        network: In eval mode.
        images: (N, 4h, 4w, 3) uint8 RGB, not seen in training.
        device: Where the network lies.

    Returns:
        `psnr` (dB) and `ssim`, each of `bicubic`, of `srcnn`, and the `gain` of the second over the first.
    """
    enlargers = {"bicubic": lambda luma: bicubic(luma, SCALE), "srcnn": network}
    sums = {measure: dict.fromkeys(enlargers, 0.0) for measure in ("psnr", "ssim")}
    for part in _floats(images, device):
        target = rgb_to_ycbcr(part)[:, :1]
        for name, enlarge in enlargers.items():
            drawn = enlarge(bicubic(target, 1 / SCALE)).clamp(0, 1)
            psnr = peak_signal_noise_ratio(drawn, target, 1.0, reduction="none", dim=(1, 2, 3))
            ssim = structural_similarity_index_measure(drawn, target, reduction="none", data_range=1.0)
            sums["psnr"][name] += psnr.clamp(max=_MAX_PSNR).sum().item()
            sums["ssim"][name] += ssim.sum().item()
    means = {
        measure: {name: total / len(images) for name, total in by_name.items()}
        for measure, by_name in sums.items()
    }
    return {measure: values | {"gain": values["srcnn"] - values["bicubic"]} for measure, values in means.items()}


@torch.inference_mode()
def superresolve_images(
    network: SRCNN, images: np.ndarray, height: int, width: int, device: torch.device
) -> np.ndarray:
    """Enlarge images 4x and area-resize them to the packed size.

    Args:
        network: In eval mode.
        images: (N, h, w, 3) uint8 RGB.
        height: Of the result, pixels.
        width: Of the result, pixels.
        device: Where the network lies.

    Returns:
        (N, height, width, 3) uint8 RGB.
    """
    results = []
    with progress("superresolve", len(images), "images") as bar:
        for part in _floats(images, device):
            ycbcr = rgb_to_ycbcr(part)
            enlarged = torch.cat([network(ycbcr[:, :1]), bicubic(ycbcr[:, 1:], SCALE)], dim=1)
            rgb = interpolate(ycbcr_to_rgb(enlarged), size=(height, width), mode="area")
            results.append((rgb.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
            bar.advance(len(part))
    return np.concatenate(results)


def _floats(images: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield (N, H, W, 3) uint8 images as batches (B, 3, H, W) in [0, 1]."""
    for start in range(0, len(images), _BATCH):
        yield _as_floats(images[start : start + _BATCH]).to(device)


def _as_floats(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
