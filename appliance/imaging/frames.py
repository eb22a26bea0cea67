"""A frame as it was sent, turned into a frame as DICOM holds it uncompressed."""

from __future__ import annotations

import numpy as np

from appliance.errors import BadInput
from appliance.imaging import codecs
from appliance.imaging.layout import normalise
from appliance.imaging.shape import EXPLICIT_BE, EXPLICIT_LE, NATIVE, FrameShape, Layout
from appliance.imaging.streams import StreamHeader, read_jpeg2000_header, read_jpeg_header

__all__ = ["FrameShape", "Layout", "decode", "decode_frame", "normalise"]

_RGB_IDS = ((82, 71, 66), (114, 103, 98))


def decode_frame(shape: FrameShape, data: bytes) -> bytes:
    """Return the frame in native little endian, the pixels of :func:`decode`."""
    return decode(shape, data)[1]


def decode(shape: FrameShape, data: bytes) -> tuple[FrameShape, bytes]:
    """Return how the decoded frame is described, then its bytes as Explicit VR Little Endian holds them.

    Native frames keep their photometric interpretation and planes; compressed ones come out
    interleaved, as RGB where
    the codec's own transform was undone, as YBR_FULL where YCbCr was stored. Raises :class:`BadInput`
    for a damaged
    frame, an unknown transfer syntax, or dimensions that differ from the declared ones.
    """
    shape.check()
    if shape.transfer_syntax in NATIVE:
        return shape.with_(transfer_syntax=EXPLICIT_LE, words=False), _native(shape, data)
    family = codecs.FAMILIES.get(shape.transfer_syntax)
    if family is None:
        raise BadInput("The image is in a transfer syntax that this appliance cannot decode.")
    if family == "rle":
        decoded = codecs.decode_rle(data, shape)
        return _packed(shape, np.moveaxis(decoded, 0, -1) if decoded.ndim == 3 else decoded, shape.photometric)
    if shape.bits_allocated == 1:
        raise BadInput("A compressed frame declares one bit a pixel.")
    if family in {"jpeg", "jpegls"}:
        return _jpeg(shape, data, family)
    header = read_jpeg2000_header(data)
    _agree(shape, header)
    photometric = "RGB" if shape.photometric in {"YBR_RCT", "YBR_ICT"} else shape.photometric
    samples = codecs.decode_jpeg2000(data, family)
    signed_alike = header.signed == shape.signed
    return _packed(shape, samples, photometric, 0 if signed_alike else header.precision)


def _native(shape: FrameShape, data: bytes) -> bytes:
    size = shape.native_bytes
    if len(data) < size:
        raise BadInput("The frame is truncated: it holds fewer bytes than its dimensions need.")
    if shape.transfer_syntax != EXPLICIT_BE or shape.bits_allocated == 1:
        return data[:size]
    if shape.bits_allocated == 8:
        even = data[: size + size % 2]
        whole = even + bytes(len(even) % 2)
        return np.frombuffer(whole, ">u2").astype("<u2").tobytes()[:size] if shape.words else data[:size]
    width = shape.bits_allocated // 8
    return np.frombuffer(data[:size], f">u{width}").astype(f"<u{width}").tobytes()


def _jpeg(shape: FrameShape, data: bytes, family: codecs.Family) -> tuple[FrameShape, bytes]:
    header = read_jpeg_header(data)
    if (header.marker == 0xF7) != (family == "jpegls"):
        raise BadInput("A compressed frame is not in the transfer syntax that it declares.")
    _agree(shape, header)
    photometric = _colour_inside(shape, header)
    if family == "jpegls":
        # JPEG-LS knows no sign: what it holds are the low bits of a signed sample
        return _packed(shape, codecs.decode_jpegls(data), photometric, header.precision if shape.signed else 0)
    to_rgb = photometric == "RGB" and header.adobe == 1 and header.marker != codecs.LOSSLESS_JPEG
    return _packed(shape, codecs.decode_jpeg(data, header, to_rgb), photometric)


def _colour_inside(shape: FrameShape, header: StreamHeader) -> str:
    """What the samples are, whatever was declared: component ids, then JFIF, then
    PhotometricInterpretation."""
    if header.samples != 3:
        return shape.photometric
    if header.component_ids in _RGB_IDS:
        return "RGB"
    if header.jfif or shape.photometric.startswith("YBR"):
        return "YBR_FULL"
    return shape.photometric


def _agree(shape: FrameShape, header: StreamHeader) -> None:
    declared = (shape.rows, shape.columns, shape.samples)
    if (header.rows, header.columns, header.samples) != declared:
        raise BadInput("A compressed frame has other dimensions than its image declares.")
    if header.precision > shape.bits_allocated:
        raise BadInput("A compressed frame has more bits a sample than its image declares.")


def _packed(shape: FrameShape, samples: codecs.Array, photometric: str, sign_at: int = 0) -> tuple[FrameShape, bytes]:
    described = shape.with_(transfer_syntax=EXPLICIT_LE, photometric=photometric, planar=0, words=False).check()
    if shape.bits_allocated == 1:
        return described, samples.tobytes()
    wanted = (shape.rows, shape.columns) if shape.samples == 1 else (shape.rows, shape.columns, shape.samples)
    if samples.size != shape.rows * shape.columns * shape.samples:
        raise BadInput("A compressed frame has other dimensions than its image declares.")
    kind = f"<{'i' if shape.signed else 'u'}{shape.bits_allocated // 8}"
    whole = samples.reshape(wanted).astype(kind, copy=False)
    if sign_at and shape.bits_allocated > sign_at:
        shift = shape.bits_allocated - sign_at
        whole = (whole << shift) >> shift
    return described, whole.astype(kind, copy=False).tobytes()
