"""One table from transfer syntax to codec; a codec's C library is loaded when first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from appliance.errors import BadInput
from appliance.imaging.shape import FrameShape
from appliance.imaging.streams import StreamHeader, rle_segments

Array = NDArray[Any]
Family = Literal["jpeg", "jpegls", "jpeg2000", "htj2k", "rle"]

FAMILIES: dict[str, Family] = {
    "1.2.840.10008.1.2.4.50": "jpeg",
    "1.2.840.10008.1.2.4.51": "jpeg",
    "1.2.840.10008.1.2.4.57": "jpeg",
    "1.2.840.10008.1.2.4.70": "jpeg",
    "1.2.840.10008.1.2.4.80": "jpegls",
    "1.2.840.10008.1.2.4.81": "jpegls",
    "1.2.840.10008.1.2.4.90": "jpeg2000",
    "1.2.840.10008.1.2.4.91": "jpeg2000",
    "1.2.840.10008.1.2.4.201": "htj2k",
    "1.2.840.10008.1.2.4.202": "htj2k",
    "1.2.840.10008.1.2.4.203": "htj2k",
    "1.2.840.10008.1.2.5": "rle",
}
LOSSLESS_JPEG = 0xC3
# imagecodecs loads each of these as its own extension module on first use
_FUNCTIONS = {
    "jpeg": ("jpeg8_decode", "jpegsof3_decode"),
    "jpegls": ("jpegls_decode",),
    "jpeg2000": ("jpeg2k_decode",),
    "htj2k": ("htj2k_decode",),
    "rle": ("dicomrle_decode",),
}


def preload() -> None:
    """Load every codec now, so that a process without the right to open files can use them."""
    for names in _FUNCTIONS.values():
        for name in names:
            _codec(name)


def _codec(name: str) -> Callable[..., Any]:
    import imagecodecs

    function: Callable[..., Any] = getattr(imagecodecs, name)
    return function


def decode_jpeg(data: bytes, header: StreamHeader, to_rgb: bool) -> Array:
    """Return the samples of a JPEG frame; YCbCr becomes RGB only where ``to_rgb`` says that the stream
    holds it."""
    if header.marker == LOSSLESS_JPEG:
        # libjpeg-turbo refuses some streams of older encoders that the second reader takes
        return _first(
            data,
            ("jpeg8_decode", {"colorspace": "unknown", "outcolorspace": "unknown"}),
            ("jpegsof3_decode", {}),
        )
    if header.samples == 1:
        return _first(data, ("jpeg8_decode", {}))
    inside = "ycbcr" if to_rgb else "rgb"
    return _first(data, ("jpeg8_decode", {"colorspace": inside, "outcolorspace": "rgb"}))


def decode_jpegls(data: bytes) -> Array:
    """Return the samples of a JPEG-LS frame, lossless or near-lossless."""
    return _first(data, ("jpegls_decode", {}))


def decode_jpeg2000(data: bytes, family: Family) -> Array:
    """Return the samples of a JPEG 2000 or HTJ2K frame; its own colour transform is already undone."""
    if family == "htj2k":
        return _first(data, ("htj2k_decode", {"planar": False}), ("jpeg2k_decode", {"numthreads": 1}))
    return _first(data, ("jpeg2k_decode", {"numthreads": 1, "planar": False}))


def decode_rle(data: bytes, shape: FrameShape) -> Array:
    """Return the samples of an RLE frame, by plane (PS3.5 G): one segment a byte, most significant first."""
    width = max(shape.bits_allocated // 8, 1)
    segments = rle_segments(data)
    if len(segments) != width * shape.samples:
        raise BadInput("A run-length encoded frame has the wrong number of segments.")
    size = shape.native_bytes // (width * shape.samples)
    # two bytes never expand to more than 128: the claim is refused before memory is taken for it
    if any((end - start) * 64 < size for start, end in segments):
        raise BadInput("A run-length encoded frame is too short for its dimensions.")
    flat = np.zeros((shape.samples, size, width), dtype=np.uint8)
    for index, (start, end) in enumerate(segments):
        sample, byte = divmod(index, width)
        flat[sample, :, width - 1 - byte] = _segment(data[start:end], size)
    if shape.bits_allocated == 1:
        return flat.reshape(-1)
    return flat.reshape(shape.samples, -1).view(f"<u{width}").reshape(shape.samples, shape.rows, shape.columns)


def _segment(data: bytes, size: int) -> Array:
    alone = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + data
    plane = np.frombuffer(_codec("dicomrle_decode")(alone, "u1", out=size), np.uint8)
    if plane.size < size:
        raise BadInput("A run-length encoded frame is truncated.")
    return plane[:size]


def _first(data: bytes, *attempts: tuple[str, dict[str, Any]]) -> Array:
    failure: Exception | None = None
    for name, options in attempts:
        try:
            decoded: Array = np.asarray(_codec(name)(data, **options))
            return decoded
        except MemoryError:
            raise
        except Exception as error:
            failure = error
    raise BadInput("A compressed frame cannot be decoded: it is damaged or uses an unknown variant.") from failure
