"""Native frames in the one layout that a browser reads without knowing DICOM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.errors import BadInput
from appliance.imaging.shape import EXPLICIT_LE, NATIVE, FrameShape, Layout

Array = NDArray[Any]
_KNOWN = frozenset({"MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422"})
_BLOCK = 1 << 18


def normalise(shape: FrameShape, native: bytes) -> tuple[Layout, bytes]:
    """Return layout and samples: interleaved, RGB instead of YBR, one bit widened to eight, unused
    bits cleared.

    ``native`` is what ``decode_frame`` returned and ``shape`` the description that came with it; the
    description of
    the compressed frame does as well where the stream agreed with it. A plain little-endian read then
    gives the stored value.
    """
    shape.check()
    shape = _decoded(shape)
    if shape.photometric not in _KNOWN:
        raise BadInput("The image has a photometric interpretation that cannot be shown.")
    if len(native) < shape.native_bytes:
        raise BadInput("The frame is truncated: it holds fewer bytes than its dimensions need.")
    native = native[: shape.native_bytes]
    if shape.bits_allocated == 1:
        count = shape.rows * shape.columns * shape.samples
        bits = np.unpackbits(np.frombuffer(native, np.uint8), bitorder="little")[:count]
        return Layout(shape.rows, shape.columns, shape.samples, 8, False, shape.photometric), bits.tobytes()
    samples = _interleaved(shape, native)
    photometric = shape.photometric
    if photometric.startswith("YBR"):
        if shape.bits_allocated != 8:
            raise BadInput("The image has YBR colours of more than eight bits.")
        samples, photometric = ybr_to_rgb(samples), "RGB"
    samples = _stored_values(shape, samples)
    layout = Layout(shape.rows, shape.columns, shape.samples, shape.bits_allocated, shape.signed, photometric)
    return layout, samples.tobytes()


def _decoded(shape: FrameShape) -> FrameShape:
    if shape.transfer_syntax in NATIVE:
        return shape
    photometric = {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "YBR_FULL_422": "YBR_FULL"}.get(
        shape.photometric, shape.photometric
    )
    return shape.with_(transfer_syntax=EXPLICIT_LE, photometric=photometric, planar=0)


def _interleaved(shape: FrameShape, native: bytes) -> Array:
    flat = np.frombuffer(native, f"<{'i' if shape.signed else 'u'}{shape.bits_allocated // 8}")
    if shape.samples == 1:
        return flat.reshape(shape.rows, shape.columns)
    if shape.subsampled:
        # Y1 Y2 Cb Cr for two neighbours (PS3.3 C.7.6.3.1.2)
        pairs = flat.reshape(shape.rows, shape.columns // 2, 4)
        full = np.empty((shape.rows, shape.columns // 2, 2, 3), flat.dtype)
        full[:, :, :, 0] = pairs[:, :, :2]
        full[:, :, :, 1] = pairs[:, :, 2:3]
        full[:, :, :, 2] = pairs[:, :, 3:4]
        return full.reshape(shape.rows, shape.columns, 3)
    if shape.planar == 1:
        return np.ascontiguousarray(np.moveaxis(flat.reshape(3, shape.rows, shape.columns), 0, -1))
    return flat.reshape(shape.rows, shape.columns, 3)


def ybr_to_rgb(samples: Array) -> Array:
    """Return 8-bit RGB of full-range YCbCr samples ``(..., 3)`` (PS3.3 C.7.6.3.1.2, T.871 7), rounded
    half up."""
    pixels = np.ascontiguousarray(samples).reshape(-1, 3)
    result = np.empty_like(pixels)
    single = np.float32
    for start in range(0, len(pixels), _BLOCK):
        luma, blue, red = (pixels[start : start + _BLOCK, index].astype(single) for index in range(3))
        blue -= single(128)
        red -= single(128)
        green = luma + blue * single(-0.114 * 1.772 / 0.587) + red * single(-0.299 * 1.402 / 0.587)
        colours = (luma + red * single(1.402), green, luma + blue * single(1.772))
        for index, colour in enumerate(colours):
            result[start : start + _BLOCK, index] = np.clip(np.floor(colour + single(0.5)), 0, 255)
    return result.reshape(samples.shape)


def _stored_values(shape: FrameShape, samples: Array) -> Array:
    """Move the stored bits down and fill the rest with zeros or the sign (PS3.5 8.1.1)."""
    if shape.bits_stored == shape.bits_allocated:
        return samples
    up = shape.bits_allocated - 1 - shape.high_bit
    return (samples << up) >> (shape.bits_allocated - shape.bits_stored)
