"""One sample: a DICOM Part 10 file in memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

IMPLEMENTATION = "2.25.190430207480930474720466478229473415573"
VERSION = "SAMPLES_1"


@dataclass(frozen=True, slots=True)
class Sample:
    """A Part 10 file: ``data`` is all of it, ``offset`` where its data set begins, ``name`` a file name."""

    name: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes
    offset: int

    @property
    def dataset(self) -> bytes:
        """The data set's bytes as they go over the wire (deflated when the transfer syntax is)."""
        return self.data[self.offset :]


def head(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Return preamble, prefix and file meta information (PS3.10 7.1)."""
    elements = b"".join(
        (
            _element(0x0001, b"OB", b"\x00\x01"),
            _element(0x0002, b"UI", _even(sop_class, b"\0")),
            _element(0x0003, b"UI", _even(sop_instance, b"\0")),
            _element(0x0010, b"UI", _even(transfer_syntax, b"\0")),
            _element(0x0012, b"UI", _even(IMPLEMENTATION, b"\0")),
            _element(0x0013, b"SH", _even(VERSION, b" ")),
        )
    )
    return bytes(128) + b"DICM" + _element(0x0000, b"UL", struct.pack("<I", len(elements))) + elements


def wrap(name: str, sop_class: str, sop_instance: str, transfer_syntax: str, dataset: bytes) -> Sample:
    """Return the data set's bytes as a sample, with file meta information of our own."""
    start = head(sop_class, sop_instance, transfer_syntax)
    return Sample(name, sop_class, sop_instance, transfer_syntax, start + dataset, len(start))


def split(raw: bytes) -> tuple[dict[int, bytes], int]:
    """Return the file meta values by element number and the data set's offset; (``{}``, 0) without prefix."""
    if raw[128:132] != b"DICM":
        return {}, 0
    values: dict[int, bytes] = {}
    at = 132
    while at + 8 <= len(raw) and raw[at : at + 2] == b"\x02\x00":
        element, vr = struct.unpack_from("<H", raw, at + 2)[0], raw[at + 4 : at + 6]
        if vr in {b"OB", b"OW", b"UN", b"UT", b"SQ"}:
            length, begin = struct.unpack_from("<I", raw, at + 8)[0], at + 12
        else:
            length, begin = struct.unpack_from("<H", raw, at + 6)[0], at + 8
        values[element] = raw[begin : begin + length]
        at = begin + length
    return values, at


def load(name: str, raw: bytes) -> Sample:
    """Return a Part 10 file as a sample; raise ``ValueError`` when its file meta does not say what it is."""
    values, offset = split(raw)
    if not {0x0002, 0x0003, 0x0010} <= set(values):
        raise ValueError(f"{name} has no complete file meta information")
    text = {element: values[element].rstrip(b"\0 ").decode("ascii") for element in (0x0002, 0x0003, 0x0010)}
    return Sample(name, text[0x0002], text[0x0003], text[0x0010], raw, offset)


def encode(name: str, dataset: Dataset) -> Sample:
    """Encode a data set as Explicit VR Little Endian."""
    buffer = BytesIO()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    _, offset = split(buffer.getvalue())
    return wrap(
        name,
        str(dataset.SOPClassUID),
        str(dataset.SOPInstanceUID),
        str(ExplicitVRLittleEndian),
        buffer.getvalue()[offset:] if offset else buffer.getvalue(),
    )


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _even(text: str, pad: bytes) -> bytes:
    raw = text.encode("ascii")
    return raw + pad * (len(raw) % 2)
