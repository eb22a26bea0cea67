"""What a picture must look like, by pydicom alone: grey levels or colours from 0 to 255."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from tests.samples.part10 import Sample

Levels = NDArray[np.float64]


def picture(sample: Sample, frame: int = 0) -> Levels:
    """Return one frame as rows x columns x 3 levels, before rounding."""
    dataset = dcmread(BytesIO(sample.data))
    pixels = dataset.pixel_array
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        pixels = pixels[frame]
    if dataset.SamplesPerPixel == 3:
        return pixels.astype(np.float64)
    values = apply_modality_lut(pixels, dataset)
    if "WindowCenter" in dataset:
        low, high = _range(dataset)
        levels = (apply_voi_lut(values, dataset).astype(np.float64) - low) / (high - low) * 255
    else:
        low, high = float(values.min()), float(values.max())
        if dataset.BitsStored <= 8:
            low, high = 0.0, float(2**dataset.BitsStored - 1)
        levels = (values.astype(np.float64) - low) / (high - low) * 255
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        levels = 255 - levels
    return np.repeat(levels[:, :, None], 3, axis=2)


def _range(dataset: Dataset) -> tuple[float, float]:
    """Return the output range of pydicom's windowing, which it documents in apply_windowing."""
    bits = int(dataset.BitsStored)
    low, high = (0, 2**bits - 1) if dataset.PixelRepresentation == 0 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept
