"""Replaces top-level values in a data set's bytes and leaves every other byte as it is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = {"1.2.840.10008.1.2.1.99"}
UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_VRS = _LONG | {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO"),
    *(b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Element:
    """Where one top-level element lies: ``start``, ``value``, ``end`` in bytes, ``vr`` empty if implicit."""

    tag: int
    vr: bytes
    start: int
    value: int
    end: int


class Broken(ValueError):
    """The bytes are not a complete data set; the text says what is wrong and where."""


def elements(data: bytes, transfer_syntax: str) -> list[Element]:
    """Return the top-level elements of an (inflated) data set in order; raise :class:`Broken`."""
    implicit, order = transfer_syntax == IMPLICIT, ">" if transfer_syntax == EXPLICIT_BIG else "<"
    found, at = [], 0
    while at < len(data):
        element = _header(data, at, implicit, order)
        found.append(element)
        at = element.end
    return found


def replace(data: bytes, transfer_syntax: str, values: Mapping[int, tuple[bytes, bytes]]) -> bytes:
    """Return the data set with each ``{tag: (vr, value)}`` of ``values`` replaced or inserted in its place.

    ``value`` is padded to even length here. Every other element keeps its bytes, length form and place.
    """
    if transfer_syntax in DEFLATED:
        return deflate(replace(inflate(data), "", values))
    present = elements(data, transfer_syntax)
    waiting = dict(values)
    pieces: list[bytes | memoryview] = []
    view = memoryview(data)
    for element in present:
        for tag in sorted(tag for tag in waiting if tag < element.tag):
            pieces.append(render(tag, *waiting.pop(tag), transfer_syntax))
        if element.tag in waiting:
            pieces.append(render(element.tag, *waiting.pop(element.tag), transfer_syntax))
        elif element.tag & 0xFFFF or not _group_changed(element.tag, values):
            pieces.append(view[element.start : element.end])  # a group length that no longer holds is left out
    for tag in sorted(waiting):
        pieces.append(render(tag, *waiting[tag], transfer_syntax))
    return b"".join(pieces)


def value(data: bytes, transfer_syntax: str, tag: int) -> bytes | None:
    """Return the bytes of one top-level value, or ``None``."""
    for element in elements(data, transfer_syntax):
        if element.tag == tag:
            return data[element.value : element.end]
    return None


def render(tag: int, vr: bytes, content: bytes, transfer_syntax: str) -> bytes:
    """Encode one element of defined length."""
    content += (b"\0" if vr in {b"UI", b"OB", b"UN"} else b" ") * (len(content) % 2)
    order = ">" if transfer_syntax == EXPLICIT_BIG else "<"
    group, number = tag >> 16, tag & 0xFFFF
    if transfer_syntax == IMPLICIT:
        return struct.pack("<HHI", group, number, len(content)) + content
    if vr in _LONG:
        return struct.pack(f"{order}HH2sHI", group, number, vr, 0, len(content)) + content
    return struct.pack(f"{order}HH2sH", group, number, vr, len(content)) + content


def inflate(data: bytes) -> bytes:
    """Undo the deflated transfer syntax (PS3.5 A.5)."""
    return zlib.decompressobj(-15).decompress(data)


def deflate(data: bytes) -> bytes:
    """Deflate a data set, padded to even length (PS3.5 A.5)."""
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    raw = engine.compress(data) + engine.flush()
    return raw + b"\0" * (len(raw) % 2)


def _group_changed(tag: int, values: Mapping[int, object]) -> bool:
    return any(changed >> 16 == tag >> 16 for changed in values)


def _header(data: bytes, at: int, implicit: bool, order: str) -> Element:
    if at + 8 > len(data):
        raise Broken(f"cut inside an element header at byte {at}")
    group, number = struct.unpack_from(f"{order}HH", data, at)
    tag, vr = group << 16 | number, data[at + 4 : at + 6]
    if implicit or group == 0xFFFE:
        vr, length, begin = b"", struct.unpack_from(f"{order}I", data, at + 4)[0], at + 8
    elif vr in _LONG:
        if at + 12 > len(data):
            raise Broken(f"cut inside an element header at byte {at}")
        length, begin = struct.unpack_from(f"{order}I", data, at + 8)[0], at + 12
    elif vr in _VRS:
        length, begin = struct.unpack_from(f"{order}H", data, at + 6)[0], at + 8
    else:
        raise Broken(f"an unknown value representation at byte {at}")
    if length != UNDEFINED:
        if begin + length > len(data):
            raise Broken(f"element ({group:04x},{number:04x}) is longer than the rest of the file")
        return Element(tag, vr, at, begin, begin + length)
    # An UN of undefined length holds implicit little endian items (CP-246).
    end = _skip_items(data, begin, implicit or vr == b"UN", "<" if vr == b"UN" else order)
    return Element(tag, vr, at, begin, end)


def _skip_items(data: bytes, at: int, implicit: bool, order: str, depth: int = 0) -> int:
    """Return the offset after the sequence delimiter of a value of undefined length."""
    if depth > 32:
        raise Broken("nested too deeply")
    while True:
        item = _delimiter(data, at, order)
        if item == SEQUENCE_END:
            return at + 8
        if item != ITEM:
            raise Broken(f"no item at byte {at}")
        length, at = struct.unpack_from(f"{order}I", data, at + 4)[0], at + 8
        if length != UNDEFINED:
            at += length
            continue
        while _delimiter(data, at, order) != ITEM_END:
            at = _header_deep(data, at, implicit, order, depth)
        at += 8


def _header_deep(data: bytes, at: int, implicit: bool, order: str, depth: int) -> int:
    vr = b"" if implicit else data[at + 4 : at + 6]
    length_at = at + 4 if implicit else at + 8 if vr in _LONG else None
    if length_at is not None and length_at + 4 <= len(data):
        length = struct.unpack_from(f"{order}I", data, length_at)[0]
        if length == UNDEFINED:
            return _skip_items(data, length_at + 4, implicit or vr == b"UN", order, depth + 1)
    return _header(data, at, implicit, order).end


def _delimiter(data: bytes, at: int, order: str) -> int:
    if at + 8 > len(data):
        raise Broken("cut inside a value of undefined length")
    group, number = struct.unpack_from(f"{order}HH", data, at)
    return int(group << 16 | number)
