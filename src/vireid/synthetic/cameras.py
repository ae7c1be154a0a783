"""The six cameras: where they hang, what light they see by, and what they do to a picture."""

import functools
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from vireid.data.records import Modality
from vireid.synthetic.draws import Draw, Purpose
from vireid.synthetic.renderer import Canvas, Light

CURVE_STEPS, BRIGHTEST = 2048, 1.6
"""Entries of a response curve, and the radiance at its end."""
NOISE_SIZE = 320
"""Side in pixels of the tile of noise from which every image takes a piece."""


@dataclass(frozen=True)
class Camera:
    """A camera and its place.

    Attributes:
        camid: Its number in SYSU-MM01.
        scene: Name of the place.
        modality: What it sees.
        pitch: How far it looks down, in radians.
        light: What lights a person there.
        gain: Exposure of each channel, one value for near-infrared.
        gamma: Exponent of the response; below 1 lifts the shadows.
        saturation: How early the response bends towards white; 0 not at all.
        falloff: How much darker the corners are than the middle, in [0, 1].
        noise: Standard deviation in grey levels of 255.
        blur: Radius in pixels of the defocus.
        resolution: Pixels on the sensor per pixel of the image, at most 1.
        quality: JPEG quality.
    """

    camid: int
    scene: str
    modality: Modality
    pitch: float
    light: Light
    gain: tuple[float, ...]
    gamma: float
    saturation: float
    falloff: float
    noise: float
    blur: float
    resolution: float
    quality: int


CAMERAS = (
    Camera(
        camid=1,
        scene="office",
        modality=Modality.VISIBLE,
        pitch=0.2,
        light=Light(ambient=0.58, directed=0.5, direction=(-0.35, -0.4, 0.85)),
        gain=(1.05, 1.0, 0.9),
        gamma=0.92,
        saturation=0.1,
        falloff=0.1,
        noise=3,
        blur=0.3,
        resolution=0.8,
        quality=88,
    ),
    Camera(
        camid=2,
        scene="laboratory",
        modality=Modality.VISIBLE,
        pitch=0.26,
        light=Light(ambient=0.5, directed=0.5, direction=(0.5, -0.45, 0.74)),
        gain=(0.9, 0.97, 1.03),
        gamma=1.02,
        saturation=0.1,
        falloff=0.16,
        noise=4,
        blur=0.4,
        resolution=0.7,
        quality=84,
    ),
    Camera(
        camid=3,
        scene="laboratory",
        modality=Modality.INFRARED,
        pitch=0.26,
        light=Light(ambient=0.22, directed=0.92, direction=(0.0, -0.1, 0.99)),
        gain=(0.98,),
        gamma=0.9,
        saturation=0.7,
        falloff=0.45,
        noise=4,
        blur=0.5,
        resolution=0.68,
        quality=84,
    ),
    Camera(
        camid=4,
        scene="gate",
        modality=Modality.VISIBLE,
        pitch=0.14,
        light=Light(ambient=0.62, directed=0.55, direction=(0.62, -0.5, 0.6)),
        gain=(1.06, 1.05, 1.0),
        gamma=0.95,
        saturation=0.4,
        falloff=0.04,
        noise=3,
        blur=0.3,
        resolution=0.74,
        quality=82,
    ),
    Camera(
        camid=5,
        scene="garden",
        modality=Modality.VISIBLE,
        pitch=0.17,
        light=Light(ambient=0.6, directed=0.38, direction=(-0.55, -0.6, 0.58)),
        gain=(0.94, 0.99, 0.86),
        gamma=1.05,
        saturation=0.1,
        falloff=0.1,
        noise=5,
        blur=0.5,
        resolution=0.64,
        quality=80,
    ),
    Camera(
        camid=6,
        scene="passage",
        modality=Modality.INFRARED,
        pitch=0.16,
        light=Light(ambient=0.16, directed=0.98, direction=(0.1, 0.05, 0.99)),
        gain=(0.9,),
        gamma=1.0,
        saturation=1.0,
        falloff=0.6,
        noise=6,
        blur=0.5,
        resolution=0.64,
        quality=80,
    ),
)


def develop(canvas: Canvas, camera: Camera, seed: int, draw: Draw) -> bytes:
    """Turn radiance into the JPEG file that a camera would deliver.

    Args:
        canvas: (H, W, C) radiance; changed.
        camera: Which camera.
        seed: The data set's seed.
        draw: Source of this image's exposure and noise.

    Returns:
        A JPEG file with three channels, equal ones for near-infrared.
    """
    height, width, channels = canvas.shape
    exposure = draw.uniform(0.88, 1.12)
    gain = np.array([value * exposure * draw.uniform(0.98, 1.02) for value in camera.gain], dtype=np.float32)
    canvas *= _vignette(camera, height, width)
    canvas *= gain * np.float32((CURVE_STEPS - 1) / BRIGHTEST)
    levels = _curve(camera).take(canvas.astype(np.int32), mode="clip")
    picture = Image.fromarray(levels if channels == 3 else levels[..., 0])

    sensor = (round(width * camera.resolution), round(height * camera.resolution))
    picture = picture.resize(sensor, Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(camera.blur))
    pixels = np.asarray(picture).reshape(sensor[1], sensor[0], channels)
    noisy = np.clip(pixels + _noise_piece(camera, seed, draw, pixels.shape), 0, 255).astype(np.uint8)
    picture = Image.fromarray(noisy if channels == 3 else noisy[..., 0])
    picture = picture.resize((width, height), Image.Resampling.BICUBIC).convert("RGB")

    file = io.BytesIO()
    picture.save(file, "JPEG", quality=camera.quality, subsampling="4:2:0", optimize=False)
    return file.getvalue()


def _noise_piece(camera: Camera, seed: int, draw: Draw, shape: tuple[int, ...]) -> NDArray[np.int16]:
    tile = _noise(camera, seed, shape[2])
    top, left = (draw.state.randint(0, NOISE_SIZE - size) for size in shape[:2])
    return tile[top : top + shape[0], left : left + shape[1]]


@functools.cache
def _curve(camera: Camera) -> NDArray[np.uint8]:
    """The response: grey level by radiance."""
    radiance = np.arange(CURVE_STEPS) / (CURVE_STEPS - 1) * BRIGHTEST
    bent = radiance * (1 + camera.saturation) / (1 + camera.saturation * radiance)
    values = [round(255 * float(value) ** camera.gamma, 3) for value in bent]
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


@functools.cache
def _vignette(camera: Camera, height: int, width: int) -> np.ndarray:
    """(H, W, 1) brightness of the light by place: brightest on the chest."""
    y = (np.arange(height) + 0.5) / height * 2 - 0.85
    x = (np.arange(width) + 0.5) / width * 2 - 1
    distance = (x**2)[None] * 0.5 + (y**2)[:, None]
    return np.round(1 - camera.falloff * np.minimum(distance / 1.5, 1), 4).astype(np.float32)[..., None]


@functools.cache
def _noise(camera: Camera, seed: int, channels: int) -> NDArray[np.int16]:
    state = Draw(seed, Purpose.NOISE, camera.camid).state
    return np.round(camera.noise * state.standard_normal((NOISE_SIZE, NOISE_SIZE, channels))).astype(np.int16)
