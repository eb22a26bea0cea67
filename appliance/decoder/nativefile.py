"""A Part 10 file with its pixels decompressed, as Explicit VR Little Endian."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from appliance.errors import BadInput
from appliance.imaging.frames import decode
from appliance.imaging.shape import EXPLICIT_BE, EXPLICIT_LE, MAX_FRAME_BYTES, NATIVE, FrameShape

_MAX_FRAMES = 100_000
_IMPLEMENTATION_FIELDS = (
    "SourceApplicationEntityTitle",
    "ImplementationClassUID",
    "ImplementationVersionName",
)


def preload() -> None:
    """Load the text codecs that pydicom looks up by name, while files can still be opened."""
    for name in set(python_encoding.values()):
        "".encode(name)


def native_file(part10: bytes) -> bytes:
    """Return the same object in Explicit VR Little Endian with a fresh file meta header (PS3.10 7.1).

    Compressed pixels are decoded; PhotometricInterpretation and PlanarConfiguration follow what came
    out, every other
    element stays. Raises :class:`BadInput` for what is not DICOM or cannot be decoded.
    """
    dataset = pydicom.dcmread(BytesIO(part10))
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not syntax:
        raise BadInput("The file names no transfer syntax.")
    if syntax not in NATIVE:
        _decompress(dataset, syntax)
    elif syntax == EXPLICIT_BE and "PixelData" in dataset:
        _little_endian(dataset, syntax)
    dataset.file_meta = _meta(dataset)
    target = BytesIO()
    pydicom.dcmwrite(target, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return target.getvalue()


def _frames(dataset: Dataset) -> int:
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= frames <= _MAX_FRAMES:
        raise BadInput("The image declares an impossible number of frames.")
    return frames


def _shape(dataset: Dataset, syntax: str) -> FrameShape:
    stored = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    return FrameShape(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        bits_allocated=int(dataset.BitsAllocated),
        bits_stored=stored,
        high_bit=int(dataset.get("HighBit", stored - 1)),
        signed=int(dataset.get("PixelRepresentation") or 0) == 1,
        photometric=str(dataset.PhotometricInterpretation),
        planar=int(dataset.get("PlanarConfiguration") or 0),
        transfer_syntax=syntax,
        words=dataset["PixelData"].VR == "OW",
    ).check()


def _decompress(dataset: Dataset, syntax: str) -> None:
    if "PixelData" not in dataset:
        return
    shape, count = _shape(dataset, syntax), _frames(dataset)
    if shape.rows * shape.columns * shape.samples * shape.bits_allocated // 8 * count > MAX_FRAME_BYTES:
        raise BadInput("The image is larger than this appliance can decode at once.")
    extended = None
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        extended = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    described, pixels, found = shape, bytearray(), 0
    frames = generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=extended)
    for found, encoded in enumerate(frames, start=1):
        if found > count:
            break
        described, native = decode(shape, encoded)
        pixels += native
    if found < count:
        raise BadInput("The image holds fewer frames than it declares.")
    dataset.PhotometricInterpretation = described.photometric
    if described.samples > 1:
        dataset.PlanarConfiguration = described.planar
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)
    _set_pixels(dataset, described, pixels)


def _little_endian(dataset: Dataset, syntax: str) -> None:
    shape = _shape(dataset, syntax)
    raw = bytes(dataset.PixelData)
    if shape.bits_allocated > 8:
        width = shape.bits_allocated // 8
        whole = len(raw) // width * width
        raw = np.frombuffer(raw[:whole], f">u{width}").astype(f"<u{width}").tobytes()
    elif shape.words:
        raw = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype("<u2").tobytes()
    _set_pixels(dataset, shape, bytearray(raw))


def _set_pixels(dataset: Dataset, shape: FrameShape, pixels: bytearray) -> None:
    if len(pixels) % 2:
        pixels.append(0)
    element = dataset["PixelData"]
    element.is_undefined_length = False
    element.VR = "OW" if shape.bits_allocated > 8 else "OB"
    element.value = bytes(pixels)


def _meta(dataset: Dataset) -> FileMetaDataset:
    old, meta = dataset.file_meta, FileMetaDataset()
    meta.TransferSyntaxUID = UID(EXPLICIT_LE)
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", old.get("MediaStorageSOPClassUID", ""))
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", old.get("MediaStorageSOPInstanceUID", ""))
    for keyword in _IMPLEMENTATION_FIELDS:
        if keyword in old:
            setattr(meta, keyword, old[keyword].value)
    return meta
