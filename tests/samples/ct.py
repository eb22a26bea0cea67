"""A CT of thorax and abdomen, 512 x 512, made of smooth shapes with noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.samples import headers
from tests.samples.paint import Image, ellipse, noise
from tests.samples.part10 import Sample, encode
from tests.samples.people import THORAX, Person
from tests.samples.uids import uid

SIZE = 512
PIXEL_MM = 0.78125
LENGTH_MM = 440.0
CENTRE = SIZE / 2


def slices(count: int = 200, person: Person = THORAX, seed: int = 1) -> Iterator[Sample]:
    """Yield ``count`` slices of one series from the lung apices down to the pelvis, about 0.5 MB each."""
    for index in range(count):
        z = (index + 0.5) / count * LENGTH_MM
        dataset = headers.ct(person, seed, index, z, LENGTH_MM / count, PIXEL_MM)
        dataset.PixelData = stored(z, seed, index).tobytes()
        yield encode(f"ct-{seed:02d}-{index + 1:03d}.dcm", dataset)


def series_uid(seed: int = 1) -> str:
    """Return the SeriesInstanceUID of the series made with ``seed``."""
    return uid("ct", seed, "series")


def stored(z: float, seed: int, index: int) -> NDArray[np.uint16]:
    """Return the stored values (12 bit, rescale -1024) of the slice at ``z`` millimetres below the apices."""
    hounsfield = anatomy(z) + _grain(seed, index)
    values: NDArray[np.uint16] = np.clip(np.rint(hounsfield) + 1024, 0, 4095).astype("<u2")
    return values


def anatomy(z: float) -> Image:
    """Return the slice at ``z`` millimetres in Hounsfield units, without noise."""
    image: Image = np.full((SIZE, SIZE), -1000, dtype=np.float32)
    _table(image)
    width = 163 + 14 * math.sin(z / LENGTH_MM * math.pi) + (10 * math.exp(-(((z - 40) / 45) ** 2)))
    depth = 120 + 8 * math.sin(z / LENGTH_MM * math.pi * 1.3) - 22 * math.exp(-(((z + 10) / 50) ** 2))
    _blob(image, 0, 0, width, depth, -105, power=2.5)
    _blob(image, 0, 2, width - 17, depth - 15, 52, power=2.4)
    _blob(image, 0, 2, width - 27, depth - 25, -70 if z > 235 else 30, power=2.3, soft=3)
    _lungs(image, z, width, depth)
    _mediastinum(image, z)
    _abdomen(image, z, depth)
    _spine(image, z)
    _ribs(image, z, width, depth)
    _pelvis(image, z)
    return image


def _blob(
    image: Image,
    x: float,
    y: float,
    rx: float,
    ry: float,
    value: float,
    *,
    angle: float = 0.0,
    soft: float = 1.2,
    power: float = 2.0,
    keep: float = 0.0,
) -> None:
    """Paint an ellipse given in millimetres from the isocentre (x to the patient's left, y to the back)."""
    centre = (CENTRE + x / PIXEL_MM, CENTRE + y / PIXEL_MM)
    radii = (rx / PIXEL_MM, ry / PIXEL_MM)
    ellipse(image, centre, radii, value, soft=soft / PIXEL_MM, angle=angle, power=power, keep=keep)


def _ball(z: float, middle: float, half: float) -> float:
    """Return the relative radius (0..1) of an ellipsoid's section at ``z``."""
    return math.sqrt(max(0.0, 1 - ((z - middle) / half) ** 2))


def _table(image: Image) -> None:
    for radius, value in ((262.0, -420.0), (258.0, -890.0)):
        _blob(image, 0, 130 - 245 + radius - 258, 2 * radius, radius, value, power=2.2, soft=1.0)
    _blob(image, 0, 130 - 245 - 10, 1000, 245, -1000, soft=1.0)
    rows = np.arange(SIZE)
    below = rows > CENTRE + 152 / PIXEL_MM
    image[below, :] = -1000


def _lungs(image: Image, z: float, width: float, depth: float) -> None:
    for side, dome in ((-1, 205.0), (1, 222.0)):
        size = _ball(z, 118, 128) if z < 118 else _ball(z, 118, dome - 96)
        if size <= 0:
            continue
        x, rx, ry = side * width * 0.47, width * 0.40 * size, (depth - 22) * 0.93 * size
        _blob(image, x, 6, rx, ry, -868, power=2.3, soft=2)
        for vessel in range(34):
            start = vessel * vessel * 1.7
            reach = 0.12 + 0.78 * ((vessel * 0.618) % 1)
            turn = start + 0.012 * z * (1 if vessel % 2 else -1)
            thick = (4.6 * (1 - reach) + 0.8) * size * (1 if (vessel * 13 + int(z / 35)) % 5 else 0.4)
            _blob(
                image,
                x - side * rx * 0.25 + math.cos(turn) * rx * 0.72 * reach,
                6 + math.sin(turn) * ry * 0.85 * reach,
                thick * (1 + 0.8 * abs(math.sin(vessel))),
                thick,
                20,
                angle=turn,
                keep=0.15,
            )
        if z > 150:  # the dome of liver or spleen rises into the base
            rise = _ball(z, 262, 112)
            _blob(image, x + side * 2, 10, rx * rise * 1.05, ry * rise * 0.98, 104, soft=2)


def _mediastinum(image: Image, z: float) -> None:
    if z < 235:
        _blob(image, 0, 4, 30, 52, 25 if z > 60 else 40, soft=4)
    heart = _ball(z, 168, 62)
    if heart > 0:
        _blob(image, 24, -22, 66 * heart, 47 * heart, 46, angle=0.55, soft=2)
        _blob(image, 38, -14, 33 * heart, 23 * heart, 205, angle=0.6, soft=3)
        _blob(image, 2, -38, 27 * heart, 22 * heart, 150, angle=0.2, soft=3)
        _blob(image, 8, 12, 28 * heart, 17 * heart, 195, soft=3)
    if z < 96:
        _blob(image, 0, -4, 9.5, 9, -995)
    elif z < 150:
        for side in (-1, 1):
            _blob(image, side * (z - 90) * 0.75, 0 + (z - 96) * 0.12, 7, 6.5, -985)
    _blob(image, -4, 22, 7, 6, 20)
    if 62 < z < 84:
        _blob(image, 9, -2, 15, 36, 245, angle=-0.4)
    if 78 < z < 168:
        _blob(image, -13, -24, 16, 16, 245)
        _blob(image, -33, -18, 10, 11, 215)
    if 96 < z < 122:
        _blob(image, 14, -14, 34, 12, 190, angle=0.35)
    if z > 76:
        _blob(image, 18 - min(1.0, z / 320) * 12, 36 - (z > 250) * 6, 12.5 - z / 90, 12.5 - z / 90, 240)
    for side in (-1, 1):  # great vessels above the arch
        if z < 62:
            _blob(image, side * 22, -8, 7, 7, 225)
            _blob(image, side * 34, -22, 8, 7, 140)


def _abdomen(image: Image, z: float, depth: float) -> None:
    liver = _ball(z, 262, 78)
    _blob(image, -62, -6, 84 * liver, 78 * liver, 108, angle=0.25, power=2.2, soft=2)
    _blob(image, 10, -42, 60 * liver, 30 * liver, 107, angle=-0.12, soft=2)
    for vessel in range(9):
        turn = vessel * 2.4 + z * 0.02
        _blob(
            image,
            -62 + math.cos(turn) * 55 * liver,
            -6 + math.sin(turn) * 45 * liver,
            3.5 * liver,
            2.5 * liver,
            165,
        )
    gall = _ball(z, 296, 24)
    _blob(image, -58, -48, 17 * gall, 13 * gall, 12)
    spleen = _ball(z, 250, 48)
    _blob(image, 108, 34, 26 * spleen, 46 * spleen, 122, angle=0.35, soft=2)
    stomach = _ball(z, 255, 42)
    _blob(image, 62, -30, 46 * stomach, 34 * stomach, 34, angle=0.4)
    _blob(image, 62, -44, 34 * stomach, 14 * stomach, -960, angle=0.1)
    pancreas = _ball(z, 292, 18)
    _blob(image, 22, -8, 50 * pancreas, 11 * pancreas, 92, angle=-0.3)
    for side, middle in ((-1, 318.0), (1, 306.0)):
        kidney = _ball(z, middle, 55)
        _blob(image, side * 64, 44, 29 * kidney, 34 * kidney, 178, angle=side * 0.4, soft=2)
        _blob(image, side * 54, 40, 12 * kidney, 16 * kidney, -40 if kidney > 0.8 else 120, angle=side * 0.4)
        if z > 270:
            muscle = min(1.0, (z - 270) / 90)
            _blob(image, side * 40, 42, 9 + 17 * muscle, 12 + 14 * muscle, 58)
    if z > 200:
        _blob(image, -22, 30, 12, 9, 150)
    for loop in range(15):
        middle = 318 + (loop * 47) % 120
        size = _ball(z, middle, 30 + loop % 4 * 9)
        if size <= 0:
            continue
        turn = loop * 2.39996
        x, y = math.cos(turn) * 78, -28 + math.sin(turn) * (depth - 70) * 0.55
        _blob(image, x, y, 21 * size, 17 * size, 48, angle=turn)
        if loop % 3 == 0:
            _blob(image, x, y - 3 * size, 13 * size, 9 * size, -900, soft=2)
    for side in (-1, 1):
        colon = _ball(z, 350, 70)
        _blob(image, side * 118, 0, 25 * colon, 24 * colon, 40, soft=2)
        _blob(image, side * 118, -6, 17 * colon, 14 * colon, -850, soft=3)


def _spine(image: Image, z: float) -> None:
    phase = (z / 27.0) % 1
    size = 17 + z / 60
    disc = min(1.0, abs(phase - 0.5) * 9 - 3.2) if abs(phase - 0.5) > 0.355 else 0.0
    y = 60 - 8 * math.sin(z / LENGTH_MM * 2 * math.pi)
    _blob(image, 0, y, size * 1.22, size, 520 - 420 * disc)
    _blob(image, 0, y, size * 1.22 - 3, size - 3, 195 - 95 * disc, soft=2)
    _blob(image, 0, y + size + 7, 15, 11, 480)
    _blob(image, 0, y + size + 6, 9.5, 8, 28)
    spinous = 1 - min(1.0, abs(phase - 0.4) * 2.2)
    _blob(image, 0, y + size + 21, 3.6, 14 * spinous + 1, 430)
    for side in (-1, 1):
        if 0.2 < phase < 0.75:
            _blob(image, side * 27, y + size + 3, 17, 4.6, 420, angle=-side * 0.35)
        _blob(image, side * 27, y + size + 16, 23, 14, 58, angle=side * 0.25, keep=0.1)


def _ribs(image: Image, z: float, width: float, depth: float) -> None:
    for rib in range(1, 13):
        origin, drop = (rib - 1) * 24.0 + 4, 62.0 if rib < 11 else 30.0
        along = (z - origin) / drop
        if not 0.0 <= along <= 1.0:
            continue
        turn = math.pi / 2 - 0.22 - along * (2.55 if rib < 8 else 2.0)
        rx, ry = width - 29, depth - 26
        for side in (-1, 1):
            x, y = side * math.cos(turn) * rx, math.sin(turn) * ry + 2
            tangent = math.atan2(math.cos(turn) * ry, -side * math.sin(turn) * rx)
            _blob(image, x, y, 15, 5.4, 620, angle=tangent)
            _blob(image, x, y, 13, 3.0, 190, angle=tangent)
    if 40 < z < 190:
        _blob(image, 0, -(depth - 24), 18, 6, 420)
        _blob(image, 0, -(depth - 24), 15, 3.4, 170)
    if z < 120:
        for side in (-1, 1):
            _blob(image, side * (112 - z * 0.12), 64, 33 - z * 0.12, 4.2, 560, angle=-side * 0.65)


def _pelvis(image: Image, z: float) -> None:
    if z < 355:
        return
    grow = min(1.0, (z - 355) / 50)
    for side in (-1, 1):
        _blob(
            image,
            side * (100 - 18 * grow),
            38 + 8 * grow,
            8 + 34 * grow,
            6.5,
            640,
            angle=side * (1.9 - 0.3 * grow),
        )
        _blob(
            image,
            side * (100 - 18 * grow),
            38 + 8 * grow,
            6 + 32 * grow,
            3.4,
            230,
            angle=side * (1.9 - 0.3 * grow),
        )
        _blob(image, side * 82, 72, 40 * grow, 20 * grow, 58, angle=-side * 0.3, keep=0.1)


@cache
def _tile() -> Image:
    return (noise(20_260, (1024, 1024), 3) * 11 + noise(20_261, (1024, 1024)) * 9).astype(np.float32)


def _grain(seed: int, index: int) -> Image:
    """Return a slice's noise: a window of one large tile, another one for each slice."""
    x, y = (index * 197 + seed * 61) % SIZE, (index * 331 + seed * 17) % SIZE
    window = _tile()[y : y + SIZE, x : x + SIZE]
    return window[:: -1 if index & 1 else 1, :: -1 if index & 2 else 1]
