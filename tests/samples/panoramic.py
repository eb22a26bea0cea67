"""A dental panoramic radiograph, 2800 x 1400, made of jaws and teeth with roots."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.samples import headers
from tests.samples.paint import Image, ellipse, noise
from tests.samples.part10 import Sample, encode
from tests.samples.people import PANORAMIC, Person

COLUMNS, ROWS = 2800, 1400
MIDDLE = COLUMNS / 2

# half width of the crown, height of the crown, length of the root, number of roots: from the midline outwards
_UPPER = [(43, 96, 165, 1), (34, 88, 158, 1), (40, 98, 190, 1), (36, 80, 160, 2), (35, 78, 155, 1)]
_UPPER += [(54, 76, 150, 3), (52, 74, 140, 3), (47, 66, 115, 2)]
_LOWER = [(27, 84, 150, 1), (30, 86, 156, 1), (36, 98, 185, 1), (36, 82, 165, 1), (38, 80, 168, 1)]
_LOWER += [(60, 76, 165, 2), (58, 74, 155, 2), (54, 70, 120, 2)]
_FILLED = {(0, 0, 5): 1.9, (1, 0, 6): 2.1, (1, 1, 5): 2.0, (0, 1, 4): 1.6}
_CROWNED = {(0, 1, 5)}
_TREATED = {(0, 1, 5), (1, 1, 5)}
_MISSING = {(0, 0, 7), (1, 1, 7), (1, 0, 5)}


def panoramic(person: Person = PANORAMIC, seed: int = 1) -> Sample:
    """Return one panoramic radiograph, about 7.8 MB, 12 bit in 16, brighter where more is absorbed."""
    ds = headers.projection(person, "panoramic", seed, 0, ROWS, COLUMNS, 12)
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "PX", "Dentaire Simulé", "Orbis Pan 3"
    ds.StudyDescription, ds.SeriesDescription = "Panoramique dentaire", "Panoramique adulte"
    ds.BodyPartExamined, ds.StationName = "JAW", "PANO1"
    ds.AnatomicRegionSequence = [headers.code("661005", "SCT", "Jaw region")]
    ds.ProcedureCodeSequence = [headers.code("HBQK002", "CCAM", "Radiographie panoramique dentomaxillaire")]
    ds.ImagerPixelSpacing = ["0.1", "0.1"]
    ds.PixelSpacing, ds.PixelSpacingCalibrationType = ["0.1", "0.1"], "FIDUCIAL"
    ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = "73", "10", "13900", "139"
    ds.ImageAndFluoroscopyAreaDoseProduct, ds.PositionerType = "98.4", "COLUMN"
    ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    ds.PixelData = stored(seed).tobytes()
    return encode(f"panoramic-{seed:02d}.dcm", ds)


def stored(seed: int = 1) -> NDArray[np.uint16]:
    """Return the stored values: film density of the absorption below, with quantum noise."""
    absorbed = absorption()
    dose = np.exp(-absorbed * np.float32(0.62))
    grain = noise(31_000 + seed, (ROWS, COLUMNS), 2) * np.float32(0.012)
    signal = 1 - np.clip(dose + grain * np.sqrt(dose + 0.05), 0, 1)
    values = np.clip((signal - 0.22) / 0.74, 0, 1) ** 1.15 * 3950 + 60
    letter = _letter_g()
    values[120 : 120 + letter.shape[0], -220 : -220 + letter.shape[1]][letter] = 3980
    whole: NDArray[np.uint16] = np.clip(np.rint(values), 0, 4095).astype("<u2")
    return whole


@cache
def absorption() -> Image:
    """Return how much is absorbed along each ray, 0 for air, 1 for soft tissue, 3 to 5 for metal."""
    x = np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, ROWS, dtype=np.float32)[:, None]
    image: Image = (0.95 + 0.35 * np.exp(-((x / 0.35) ** 2)) + 0.22 * y - 0.25 * np.abs(x) ** 3).astype(np.float32)
    _spine_shadow(image)
    _skull_base(image)
    _mandible(image)
    _maxilla(image)
    for jaw, row in enumerate((_UPPER, _LOWER)):
        for side in (0, 1):
            for place, shape in enumerate(row):
                if (jaw, side, place) not in _MISSING:
                    _tooth(image, jaw, side, place, shape, row)
    image += noise(30_001, (ROWS, COLUMNS), 9) * np.float32(0.022) + noise(30_002, (ROWS, COLUMNS), 61) * 0.05
    edge = np.clip(np.minimum((1 - np.abs(x)) * 18, np.minimum(y * 22, (1 - y) * 30)), 0, 1)
    vignetted: Image = (image * (0.35 + 0.65 * edge)).astype(np.float32)
    return vignetted


def _smile(offset: float, jaw: int) -> float:
    """Return the row of the biting edge ``offset`` pixels from the midline."""
    return 742 - 150 * (abs(offset) / 900) ** 2 + (14 if jaw else -14)


def _add(image: Image, centre: tuple[float, float], radii: tuple[float, float], amount: float, **how: float) -> None:
    """Add ``amount`` of absorption inside a soft ellipse."""
    layer = np.zeros_like(image)
    ellipse(layer, centre, radii, amount, **how)
    image += layer


def _spine_shadow(image: Image) -> None:
    x = np.arange(COLUMNS, dtype=np.float32)[None, :]
    image += np.float32(0.30) * np.exp(-(((x - MIDDLE) / 150) ** 4))
    for side in (-1, 1):  # the vertebrae seen twice, at both ends of the sweep
        for level in range(5):
            _add(image, (MIDDLE + side * 1345, 420 + level * 215), (110, 92), 0.55, soft=40, power=3.5)


def _skull_base(image: Image) -> None:
    for side in (-1, 1):
        _add(image, (MIDDLE + side * 930, 180), (330, 44), 0.55, soft=30, angle=side * 0.10)
        _add(image, (MIDDLE + side * 690, 330), (300, 30), 0.55, soft=16, angle=-side * 0.22)
        _add(image, (MIDDLE + side * 300, 300), (165, 118), -0.42, soft=26, angle=side * 0.3)  # orbit floor, sinus
        _add(image, (MIDDLE + side * 400, 400), (250, 105), -0.55, soft=18, power=2.6, angle=side * 0.18)
        _add(image, (MIDDLE + side * 95, 330), (62, 150), -0.5, soft=22)
        _add(image, (MIDDLE + side * 830, 760), (72, 420), -0.38, soft=40, angle=-side * 0.22)  # airway
    _add(image, (MIDDLE, 300), (15, 165), 0.5, soft=9)
    _add(image, (MIDDLE, 470), (560, 16), 0.55, soft=9)
    _add(image, (MIDDLE, 455), (30, 30), 0.55, soft=10)


def _mandible(image: Image) -> None:
    body = np.zeros_like(image)
    x = np.arange(COLUMNS, dtype=np.float32)[None, :] - np.float32(MIDDLE)
    y = np.arange(ROWS, dtype=np.float32)[:, None]
    lower = 1262 - 250 * (np.abs(x) / 1050) ** 2.4
    upper = 862 - 150 * (np.abs(x) / 900) ** 2
    inside = np.clip((lower - y) / 9, 0, 1) * np.clip((y - upper) / 26, 0, 1) * np.clip((1075 - np.abs(x)) / 330, 0, 1)
    body += inside * np.float32(0.95)
    body += np.exp(-(((y - lower + 20) / 17) ** 2)) * inside * np.float32(1.0)
    canal = lower - 118 + 26 * np.cos(np.abs(x) / 190)
    band = np.clip((np.abs(x) - 430) / 60, 0, 1) * inside
    body -= np.exp(-(((y - canal) / 15) ** 2)) * band * np.float32(0.34)
    for rim in (-19, 19):
        body += np.exp(-(((y - canal + rim) / 4) ** 2)) * band * np.float32(0.20)
    image += body * (1 + noise(30_010, (ROWS, COLUMNS), 7) * np.float32(0.085))
    for side in (-1, 1):
        turn = -side * 0.17
        _add(image, (MIDDLE + side * 1005, 668), (116, 372), 0.95, soft=34, power=2.6, angle=turn)
        _add(image, (MIDDLE + side * 1092, 315), (52, 120), 0.85, soft=20, angle=turn)
        _add(image, (MIDDLE + side * 1096, 262), (66, 48), 0.7, soft=18, angle=turn)
        _add(image, (MIDDLE + side * 905, 352), (38, 122), 0.8, soft=14, angle=side * 0.16)
        _add(image, (MIDDLE + side * 990, 640), (17, 150), -0.30, soft=10, angle=side * 0.5)
        _add(image, (MIDDLE + side * 350, 1052), (17, 14), -0.35, soft=7)  # mental foramen


def _maxilla(image: Image) -> None:
    x = np.arange(COLUMNS, dtype=np.float32)[None, :] - np.float32(MIDDLE)
    y = np.arange(ROWS, dtype=np.float32)[:, None]
    lower = 640 - 150 * (np.abs(x) / 900) ** 2
    inside = np.clip((lower - y) / 24, 0, 1) * np.clip((y - lower + 215) / 70, 0, 1)
    inside = inside * np.clip((800 - np.abs(x)) / 60, 0, 1)
    image += inside * np.float32(0.62) * (1 + noise(30_011, (ROWS, COLUMNS), 6) * np.float32(0.09))


def _tooth(
    image: Image,
    jaw: int,
    side: int,
    place: int,
    shape: tuple[int, int, int, int],
    row: list[tuple[int, int, int, int]],
) -> None:
    """Add one tooth: ``jaw`` 0 upper, ``side`` 0 the viewer's left, ``place`` 0 the central incisor."""
    half, crown, root, roots = shape
    sign = 1 if side else -1
    offset = sum(2 * other[0] - 5 for other in row[:place]) + half
    edge = _smile(offset, jaw)
    lean = sign * (0.02 + 0.021 * place) * (1 if jaw else -1) + 0.03 * math.sin(place * 5 + side * 2 + jaw)
    reach = crown + root + 60
    x0, x1 = (
        int(MIDDLE + sign * offset - reach * 0.45 - half),
        int(MIDDLE + sign * offset + reach * 0.45 + half),
    )
    y0, y1 = (int(edge - 30), int(edge + reach)) if jaw else (int(edge - reach), int(edge + 30))
    gx = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(MIDDLE + sign * offset)
    gy = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(edge)) * (1 if jaw else -1)
    c, s = math.cos(lean), math.sin(lean)
    depth, across = (
        gy * c + gx * s,
        gx * c - gy * s,
    )  # depth 0 at the biting edge, growing towards the root's tip
    layer = np.zeros((y1 - y0, x1 - x0), dtype=np.float32)

    def taper(start: float, length: float, width: float, tip: float, middle: float, power: float) -> Image:
        along = np.clip((depth - start) / length, 0, 1)
        wide = np.maximum(width * (1 - along**power) + tip * along**power, 0.5)
        bend = middle * (1 + 0.35 * along) + 10 * along**2 * sign
        thick = np.sqrt(np.clip(1 - ((across - bend) / wide) ** 2, 0, 1))
        ends = np.clip((depth - start) / 5, 0, 1) * np.clip((start + length - depth) / 7, 0, 1)
        return (thick * ends).astype(np.float32)

    neck = half * 0.74
    bulge = half * (1 - 0.26 * np.clip((depth - crown * 0.45) / (crown * 0.6), 0, 1) ** 2)
    cusps = 7 * np.cos(across / half * (math.pi * (2 if roots > 1 else 0.6))) if place > 2 else 3.0
    body = np.clip(1 - np.abs(across / bulge) ** 5, 0, 1) ** 0.5
    top = np.clip((depth - 8 + cusps) / 6, 0, 1) * np.clip((crown + 10 - depth) / 9, 0, 1)
    core = np.clip(1 - np.abs(across / (bulge * 0.80)) ** 4, 0, 1) * np.clip((depth - 24) / 12, 0, 1)
    layer += (body * top * 1.55 - core * top * 0.42).astype(np.float32)
    spread = [0.0] if roots == 1 else [-neck * 0.52, neck * 0.52] if roots == 2 else [-neck * 0.6, 0.0, neck * 0.6]
    gap, bone = np.zeros_like(layer), np.zeros_like(layer)
    for number, middle in enumerate(spread):
        length = root * (1 - 0.1 * (number % 2))
        width = neck if roots == 1 else neck * (0.62 if roots == 2 else 0.5)
        bone = np.maximum(bone, taper(crown, length + 26, width + 20, 22, middle, 1.6))
        gap = np.maximum(gap, taper(crown, length + 13, width + 9, 15, middle, 1.6))
    solid = np.zeros_like(layer)
    for number, middle in enumerate(spread):
        length = root * (1 - 0.1 * (number % 2))
        width = neck if roots == 1 else neck * (0.62 if roots == 2 else 0.5)
        solid = np.maximum(solid, taper(crown - 4, length, width, 7, middle, 1.7))
        canal = taper(crown * 0.6, length + crown * 0.3, width * 0.24, 2, middle, 1.2)
        layer += canal * np.float32(1.9 if (jaw, side, place) in _TREATED else -0.38)
    layer += solid * np.float32(1.12) + np.clip(bone * 3 - 0.2, 0, 1) * np.float32(0.12)
    layer -= np.clip(gap * 4 - 0.8, 0, 1) * np.float32(0.36)
    metal = _FILLED.get((jaw, side, place), 0.0)
    if metal:
        spot = (across / (half * 0.48)) ** 2 + ((depth - 26) / 22) ** 2 + 0.2 * np.cos(across / 6) * np.cos(depth / 7)
        layer += np.clip((1 - spot) * 6, 0, 1) * np.float32(metal)
    if (jaw, side, place) in _CROWNED:
        layer += (body * top * 2.4).astype(np.float32)
    image[y0:y1, x0:x1] += layer


def _letter_g() -> NDArray[np.bool_]:
    """Return the lead marker of the patient's left (*gauche*), 5 x 7 blocks of 14 pixels."""
    rows = ("01110", "10001", "10000", "10111", "10001", "10001", "01110")
    small = np.array([[cell == "1" for cell in line] for line in rows])
    return np.kron(small, np.ones((14, 14), dtype=bool)).astype(bool)
