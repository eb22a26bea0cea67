"""Soft-edged shapes and noise on a float image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def ellipse(
    image: Image,
    centre: tuple[float, float],
    radii: tuple[float, float],
    value: float,
    *,
    soft: float = 1.5,
    angle: float = 0.0,
    power: float = 2.0,
    keep: float = 0.0,
) -> None:
    """Blend ``value`` into a (super)ellipse; ``centre`` (x, y), ``radii``, ``soft`` edge in pixels.

    ``angle`` is in radians from x towards y; ``power`` 2 is an ellipse, larger is boxier; ``keep`` in 0..1 is
    how much of what lies below shines through.
    """
    rx, ry = radii
    if rx <= 0 or ry <= 0:
        return
    reach = max(rx, ry) + 3 * soft
    x0, x1 = max(0, math.floor(centre[0] - reach)), min(image.shape[1], math.ceil(centre[0] + reach) + 1)
    y0, y1 = max(0, math.floor(centre[1] - reach)), min(image.shape[0], math.ceil(centre[1] + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    x = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(centre[0])
    y = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(centre[1])
    if angle:
        c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        x, y = x * c + y * s, y * c - x * s
    if power == 2.0:
        radius = np.sqrt((x / np.float32(rx)) ** 2 + (y / np.float32(ry)) ** 2)
    else:
        p = np.float32(power)
        radius = (np.abs(x / np.float32(rx)) ** p + np.abs(y / np.float32(ry)) ** p) ** (1 / p)
    edge = np.float32(min(rx, ry) / soft)
    cover = np.clip((1 - radius) * edge + np.float32(0.5), 0, 1) * np.float32(1 - keep)
    window = image[y0:y1, x0:x1]
    window += (np.float32(value) - window) * cover


def smooth(image: Image, width: int, rounds: int = 2) -> Image:
    """Return the image after ``rounds`` box means of ``width`` pixels each way (wrapping at the edges)."""
    for _ in range(rounds):
        for axis in (0, 1):
            padded = np.concatenate((image, image.take(range(width), axis=axis)), axis=axis, dtype=np.float64)
            total = np.cumsum(padded, axis=axis)
            upper = total.take(range(width, padded.shape[axis]), axis=axis)
            lower = total.take(range(padded.shape[axis] - width), axis=axis)
            image = np.roll(((upper - lower) / width).astype(np.float32), width // 2 + 1, axis=axis)
    return image


def noise(seed: int, shape: tuple[int, int], grain: int = 1) -> Image:
    """Return Gaussian noise of standard deviation 1; ``grain`` is the size of its lumps in pixels."""
    raw = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32)
    if grain > 1:
        raw = smooth(raw, grain)
        raw /= np.float32(raw.std())
    return raw
