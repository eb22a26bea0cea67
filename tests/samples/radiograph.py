"""Full-size chest radiographs, 3000 x 2500, for measuring speed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.samples import headers
from tests.samples.paint import Image, ellipse, noise
from tests.samples.part10 import Sample, encode
from tests.samples.people import Person, person_for

ROWS, COLUMNS = 3000, 2500


def radiographs(count: int = 20, seed: int = 1) -> Iterator[Sample]:
    """Yield ``count`` studies of one radiograph each, 15 MB, 14 bit in 16."""
    for index in range(count):
        yield radiograph(seed * 1000 + index)


def radiograph(seed: int = 1, person: Person | None = None) -> Sample:
    """Return one postero-anterior chest radiograph (DX, For Presentation)."""
    ds = headers.projection(person or person_for("radiograph", seed), "radiograph", seed, 0, ROWS, COLUMNS, 14)
    ds.ManufacturerModelName, ds.StationName = "Plan DR 43", "RX01"
    ds.StudyDescription, ds.SeriesDescription = "Radiographie du thorax", "Thorax face PA"
    ds.BodyPartExamined, ds.ViewPosition, ds.PatientOrientation = "CHEST", "PA", ["L", "F"]
    ds.AnatomicRegionSequence = [headers.code("51185008", "SCT", "Thorax")]
    ds.ViewCodeSequence = [headers.code("399348003", "SCT", "postero-anterior")]
    ds.ImagerPixelSpacing = ds.PixelSpacing = ["0.143", "0.143"]
    ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = "125", "320", "6", "2"
    ds.Grid, ds.FilterMaterial, ds.DistanceSourceToDetector = (
        ["FOCUSED", "RECIPROCATING"],
        ["ALUMINUM"],
        "1800",
    )
    ds.WindowCenter, ds.WindowWidth = "8192", "15000"
    ds.PixelData = stored(seed).tobytes()
    return encode(f"radiograph-{seed:05d}.dcm", ds)


def stored(seed: int) -> NDArray[np.uint16]:
    """Return the stored values: the chest, with noise of its own for each ``seed``."""
    shifted = np.roll(_grain(), (seed * 389 % ROWS, seed * 211 % COLUMNS), axis=(0, 1))
    values: NDArray[np.uint16] = np.clip(_chest() + shifted, 0, 16383).astype("<u2")
    return values


@cache
def _grain() -> Image:
    return (noise(40_001, (ROWS, COLUMNS)) * np.float32(85)).astype(np.float32)


@cache
def _chest() -> Image:
    image: Image = np.full((ROWS, COLUMNS), 900, dtype=np.float32)
    middle = COLUMNS / 2
    ellipse(image, (middle, 1900), (1130, 1720), 9300, soft=90, power=3.4)
    for side in (-1, 1):
        ellipse(image, (middle + side * 1060, 620), (300, 520), 8200, soft=120, angle=side * 0.5)
        ellipse(
            image,
            (middle + side * 510, 1240 + 30 * side),
            (430, 880),
            4300,
            soft=60,
            power=2.4,
            angle=side * 0.09,
        )
        for branch in range(46):
            turn, reach = branch * branch * 1.7, 60 + 310 * ((branch * 0.618) % 1)
            at = (
                middle + side * (300 + math.cos(turn) * reach * 0.5 + reach * 0.5),
                1260 + math.sin(turn) * reach * 1.7,
            )
            ellipse(image, at, (95 - reach * 0.14, 15 - reach * 0.025), 5600, soft=9, angle=turn * 0.3, keep=0.5)
        ellipse(image, (middle + side * 520, 2120), (520, 330), 10300, soft=45)
        for rib in range(10):
            y = 430 + rib * 165
            ellipse(
                image,
                (middle + side * 520, y),
                (500, 34),
                7700,
                soft=14,
                angle=side * (0.30 + 0.02 * rib),
                keep=0.72,
            )
            ellipse(image, (middle + side * 640, y + 190), (380, 30), 7300, soft=14, angle=-side * 0.62, keep=0.80)
        ellipse(image, (middle + side * 560, 330), (600, 46), 9200, soft=16, angle=-side * 0.22, keep=0.4)
    ellipse(image, (middle, 1500), (170, 1500), 10400, soft=60, keep=0.1)
    ellipse(image, (middle + 170, 1720), (440, 400), 10100, soft=40, angle=0.5, keep=0.1)
    ellipse(image, (middle + 120, 930), (130, 120), 9700, soft=30, keep=0.1)
    for level in range(17):
        ellipse(image, (middle, 260 + level * 165), (112, 70), 11300, soft=18, power=3.5, keep=0.45)
    ellipse(image, (middle, 520), (62, 430), 8200, soft=30, keep=0.3)
    image += noise(40_000, (ROWS, COLUMNS), 41) * np.float32(140)
    return image
