"""SRCNN, which sharpens the training images of one visible camera before FPRnet sees them (papers' Table 7).

Bicubic 2x of the luma, conv 9x9 (64), ReLU, conv 1x1 (32), ReLU, dropout, conv 5x5 (4), PixelShuffle(2): 4x.
After Dong et al. (TPAMI 2016), with the pixel shuffle of Shi et al. (CVPR 2016). Colour is enlarged bicubically.

Where the paper is silent: a person's image is scaled to 128x128, not cut to it; targets are images of 512x512 and
inputs their antialiased reductions; padding keeps the sizes. Deviations from it: with `residual` the network adds
to the bicubic enlargement instead of drawing the image anew; whole images or `patch`es; the optimiser is a
parameter. The paper's literal recipe is `conf/superresolve/paper.yaml` (its momentum, which the paper does not
state, is a guess); plain SGD at 0.001 ends below bicubic.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss

from vireid.params import Superresolve
from vireid.support.progress import progress

# From luma (B, 1, h, w) to luma (B, 1, 4h, 4w).
Enlarge = Callable[[Tensor], Tensor]
# From an image's luma and its enlarged luma, both (H, W) in [0, 1], to a number.
Measure = Callable[[np.ndarray, np.ndarray], float]

SCALE = 4
CURVE_POINTS = 20
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
        first, second, last = nn.Conv2d(1, 64, 9, padding=4), nn.Conv2d(64, 32, 1), nn.Conv2d(32, 4, 5, padding=2)
        self.layers = nn.Sequential(
            first, nn.ReLU(), second, nn.ReLU(), nn.Dropout(dropout), last, nn.PixelShuffle(2)
        )
        if residual:  # start as bicubic enlargement
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, luma: Tensor) -> Tensor:
        """Enlarge 4x."""
        drawn = self.layers(bicubic(luma, 2))
        return drawn + bicubic(luma, SCALE) if self.residual else drawn


def bicubic(images: Tensor, factor: float) -> Tensor:
    """Scale (B, C, h, w) by a factor, antialiased where it is below 1."""
    return interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False, antialias=factor < 1)


def bicubic4(luma: Tensor) -> Tensor:
    """Enlarge 4x as SRCNN does, but bicubically."""
    return bicubic(luma, SCALE)


def rgb_to_ycbcr(images: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [0, 1] to luma in [0, 1] and colour differences in [-0.5, 0.5]."""
    return torch.einsum("yc,bchw->byhw", _YCBCR.to(images), images)


def ycbcr_to_rgb(images: Tensor) -> Tensor:
    """Invert `rgb_to_ycbcr`."""
    return torch.einsum("cy,byhw->bchw", torch.linalg.inv(_YCBCR).to(images), images)


def enlarged(enlarge: Enlarge, images: Tensor) -> Tensor:
    """RGB (B, 3, h, w) in [0, 1] to (B, 3, 4h, 4w): luma by `enlarge`, colour bicubically."""
    ycbcr = rgb_to_ycbcr(images)
    return ycbcr_to_rgb(torch.cat([enlarge(ycbcr[:, :1]), bicubic(ycbcr[:, 1:], SCALE)], dim=1))


def train_srcnn(
    images: np.ndarray,
    settings: Superresolve,
    seed: int,
    device: torch.device,
    log: Callable[[int, float, SRCNN], None],
) -> SRCNN:
    """Fit SRCNN to images and their reductions to a quarter.

    Args:
        images: (N, 4h, 4w, 3) uint8 RGB.
        settings: Recipe.
        seed: Decides initial weights, batches and dropout.
        device: Where to train.
        log: Called `CURVE_POINTS` times or less with the steps done, the mean squared error since the last call,
            and the network in eval mode.

    Returns:
        The network in eval mode.
    """
    torch.manual_seed(seed)
    network = SRCNN(settings.residual, settings.dropout).to(device).train()
    optimizer = _optimizer(network, settings)
    generator = torch.Generator().manual_seed(seed)
    interval = -(-settings.iterations // CURVE_POINTS)
    losses = []
    with progress("train SRCNN", settings.iterations, "steps") as bar:
        for step in range(settings.iterations):
            if step == int(settings.lr_drop_at * settings.iterations):
                optimizer.param_groups[0]["lr"] /= 10
            target = _draw(images, settings, generator).to(device)
            loss = mse_loss(network(bicubic(target, 1 / SCALE)), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            done = step + 1
            if done % interval == 0 or done == settings.iterations:
                mean = torch.stack(losses).mean().item()
                log(done, mean, network.eval())
                network.train()
                losses = []
                bar.advance(0, note=f"loss {mean:.5f}")
            bar.advance()
    return network.eval()


def _optimizer(network: SRCNN, settings: Superresolve) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), settings.lr)
    return torch.optim.SGD(network.parameters(), settings.lr, momentum=settings.momentum)


def _draw(images: np.ndarray, settings: Superresolve, generator: torch.Generator) -> Tensor:
    """Draw the luma of a batch of patches (whole images where `patch` is 0), half of them mirrored."""
    height, width = (settings.patch or size for size in images.shape[1:3])
    drawn = torch.randint(len(images), (settings.batch_size,), generator=generator).numpy()
    top = torch.randint(images.shape[1] - height + 1, (), generator=generator)
    left = torch.randint(images.shape[2] - width + 1, (), generator=generator)
    patches = images[drawn, top : top + height, left : left + width]
    luma = rgb_to_ycbcr(as_floats(patches))[:, :1]
    mirrored = torch.rand(len(luma), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], luma.flip(-1), luma)


def mean_psnr(enlarge: Enlarge, images: np.ndarray, device: torch.device) -> float:
    """Mean PSNR (dB) of enlarged reductions of images (N, 4h, 4w, 3) uint8 against the images, on luma."""
    return _means([_psnr], enlarge, images, device)[0]


def score_against_bicubic(network: SRCNN, images: np.ndarray, device: torch.device) -> dict[str, dict[str, float]]:
    """Compare both enlargements of images' reductions with the images, on luma.

    Args:
        network: In eval mode.
        images: (N, 4h, 4w, 3) uint8 RGB, not seen in training.
        device: Where the network lies.

    Returns:
        `psnr` (dB) and `ssim`, each of `bicubic`, of `srcnn`, and the `gain` of the second over the first.
    """
    measures = {"psnr": _psnr, "ssim": _ssim}
    before, after = (_means(list(measures.values()), enlarge, images, device) for enlarge in (bicubic4, network))
    return {
        name: {"bicubic": old, "srcnn": new, "gain": new - old}
        for name, old, new in zip(measures, before, after, strict=True)
    }


@torch.inference_mode()
def _means(measures: Sequence[Measure], enlarge: Enlarge, images: np.ndarray, device: torch.device) -> list[float]:
    """Compute means over images of what their enlarged reductions score, on luma."""
    scores = []
    for target in _lumas(images, device):
        redrawn = enlarge(bicubic(target, 1 / SCALE)).clamp(0, 1)
        pairs = zip(target[:, 0].cpu().numpy(), redrawn[:, 0].cpu().numpy(), strict=True)
        scores += [[measure(*pair) for measure in measures] for pair in pairs]
    return np.mean(scores, axis=0).tolist()


def _psnr(target: np.ndarray, redrawn: np.ndarray) -> float:
    with np.errstate(divide="ignore"):  # of an image that is reproduced exactly it is infinite
        return min(float(peak_signal_noise_ratio(target, redrawn, data_range=1.0)), _MAX_PSNR)


def _ssim(target: np.ndarray, redrawn: np.ndarray) -> float:
    """Structural similarity with the Gaussian window of its authors (Wang et al., TIP 2004)."""
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(target, redrawn, data_range=1.0, **window))


def _lumas(images: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    return (rgb_to_ycbcr(part)[:, :1] for part in _floats(images, device))


@torch.inference_mode()
def superresolve_images(
    network: SRCNN, images: np.ndarray, height: int, width: int, device: torch.device
) -> np.ndarray:
    """Enlarge images 4x and area-resize them.

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
            results.append(as_bytes(interpolate(enlarged(network, part), size=(height, width), mode="area")))
            bar.advance(len(part))
    return np.concatenate(results)


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize images (N, H, W, 3) uint8 as ingest resizes files; those of the right size stay as they are."""
    if images.shape[1:3] == (height, width):
        return images
    results = np.empty((len(images), height, width, 3), np.uint8)
    for result, image in zip(results, images, strict=True):
        result[:] = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
    return results


def _floats(images: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield (N, H, W, 3) uint8 images as batches (B, 3, H, W) in [0, 1]."""
    for start in range(0, len(images), _BATCH):
        yield as_floats(images[start : start + _BATCH]).to(device)


def as_bytes(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) RGB in [0, 1], or a little beyond, to (B, H, W, 3) uint8."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def as_floats(images: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 RGB to (B, 3, H, W) in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
