"""Where the frames of an object lie, and what their pixels are declared to be."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.dicom.note import Bulk
from appliance.errors import BadInput, NotFound
from appliance.imaging.fragments import frame_fragments, trim
from appliance.imaging.shape import FrameShape
from appliance.index.rows import Entry
from appliance.retrieve.contents import Contents

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA = "7FE00010", "7FE00008", "7FE00009"
EXTENDED_OFFSETS, EXTENDED_LENGTHS = "7FE00001", "7FE00002"


@dataclass(frozen=True, slots=True)
class Value:
    """A value that lies in one or more pieces of an object, or was made and is held in memory."""

    contents: Contents | None
    pieces: tuple[tuple[int, int], ...]
    made: bytes = b""

    @property
    def size(self) -> int:
        """Return its length in bytes."""
        return len(self.made) if self.contents is None else sum(length for _, length in self.pieces)

    def all(self) -> bytes:
        """Return the whole value."""
        return self.read_at(0, self.size)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a range of the value; only the sealed chunks it touches are opened."""
        if self.contents is None:
            return self.made[offset : offset + length]
        found = []
        for start, size in self.pieces:
            if length <= 0:
                break
            take = min(length, size - offset)
            if take > 0:
                found.append(self.contents.read_at(start + offset, take))
                length -= take
            offset = max(0, offset - size)
        return b"".join(found)


def pixel_bulk(entry: Entry) -> tuple[str, Bulk]:
    """Return the element that holds the pixels and where it lies; :class:`NotFound` for an object without."""
    for tag in (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA):
        bulk = entry.bulk.get(tag)
        if bulk is not None:
            return tag, bulk
    raise NotFound("The object has no pictures.", "Retrieve it whole.")


def stored_frames(entry: Entry, contents: Contents, numbers: Sequence[int]) -> Iterator[Value]:
    """Return frames as they are stored, numbered from 1, each made when it is asked for.

    Raises :class:`NotFound` for one that does not exist, :class:`BadInput` where the pixels end before it, at once.
    """
    _, bulk = pixel_bulk(entry)
    if any(number > entry.frames for number in numbers):
        raise NotFound(
            f"There is no such frame; the last one of this object is {entry.frames}.", "Ask for one of them."
        )
    if bulk.fragments is None:
        bits = _frame_bits(entry)
        if bits <= 0 or bits * max(numbers) > bulk.length * 8:
            raise BadInput("The object holds fewer pixels than it declares.", "Retrieve it whole.")
        return (_native(contents, bulk, bits, number - 1) for number in numbers)
    attributes = entry.attributes
    lengths = _inline(attributes, contents, EXTENDED_LENGTHS)
    groups = frame_fragments(
        bulk.fragments,
        entry.frames,
        contents.read_at,
        offset_table=bulk.offset_table,
        extended_offsets=_inline(attributes, contents, EXTENDED_OFFSETS),
    )
    values = ((Value(contents, groups[number - 1]), number) for number in numbers)
    if not lengths:
        return (value for value, _ in values)
    return (Value(None, (), trim(value.all(), lengths, number - 1)) for value, number in values)


def shape_of(entry: Entry) -> FrameShape:
    """Return what the data set declares of its frames; :class:`BadInput` when that is impossible."""
    attributes = entry.attributes
    allocated = _number(attributes, "00280100", 0)
    stored = _number(attributes, "00280101", allocated)
    tag, bulk = pixel_bulk(entry)
    if tag != PIXEL_DATA:
        raise BadInput("Pictures of floating point numbers cannot be shown.", "Retrieve the object whole.")
    return FrameShape(
        rows=_number(attributes, "00280010", 0),
        columns=_number(attributes, "00280011", 0),
        samples=_number(attributes, "00280002", 1),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_number(attributes, "00280102", stored - 1),
        signed=_number(attributes, "00280103", 0) == 1,
        photometric=_text(attributes, "00280004", "MONOCHROME2"),
        planar=_number(attributes, "00280006", 0),
        transfer_syntax=entry.transfer_syntax,
        words=bulk.vr == "OW",
    ).check()


def _frame_bits(entry: Entry) -> int:
    attributes = entry.attributes
    rows, columns = _number(attributes, "00280010", 0), _number(attributes, "00280011", 0)
    samples = _number(attributes, "00280002", 1)
    if _text(attributes, "00280004", "") in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        samples = 2
    return rows * columns * samples * _number(attributes, "00280100", 0)


def _native(contents: Contents, bulk: Bulk, frame_bits: int, index: int) -> Value:
    """Return one frame of native pixels. One-bit frames follow each other without padding (PS3.5 8.1.1)."""
    if frame_bits % 8 == 0:
        return Value(contents, ((bulk.offset + index * frame_bits // 8, frame_bits // 8),))
    first, last = index * frame_bits, (index + 1) * frame_bits
    raw = int.from_bytes(contents.read_at(bulk.offset + first // 8, (last + 7) // 8 - first // 8), "little")
    cut = (raw >> first % 8) & ((1 << frame_bits) - 1)
    return Value(None, (), cut.to_bytes((frame_bits + 7) // 8, "little"))


def _inline(attributes: Mapping[str, Any], contents: Contents, tag: str) -> bytes:
    element = attributes.get(tag, {})
    if "InlineBinary" in element:
        return base64.b64decode(element["InlineBinary"])
    if "BulkDataURI" in element:
        return contents.bulk(tag)[1]
    return b""


def _number(attributes: Mapping[str, Any], tag: str, default: int) -> int:
    values = attributes.get(tag, {}).get("Value", [])
    value = values[0] if values else default
    if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
        raise BadInput("The object describes its pixels wrongly.", "Retrieve it whole.")
    return int(value)


def _text(attributes: Mapping[str, Any], tag: str, default: str) -> str:
    values = attributes.get(tag, {}).get("Value", [])
    return str(values[0]) if values else default
