"""Builds data sets byte by byte, lies included."""

import struct
from collections.abc import Iterable

LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF
EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
JPEG = "1.2.840.10008.1.2.4.50"


def explicit(tag: int, vr: str, value: bytes, *, length: int | None = None, order: str = "<") -> bytes:
    """An element with explicit VR; ``length`` lies about the value."""
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack(order + "HL", 0, size) if vr in LONG else struct.pack(order + "H", size)) + value


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """An element with implicit VR in little endian."""
    size = len(value) if length is None else length
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, size) + value


def item(content: bytes, *, undefined: bool = False, length: int | None = None) -> bytes:
    if undefined:
        return implicit(0xFFFEE000, content, length=UNDEFINED) + implicit(0xFFFEE00D, b"")
    return implicit(0xFFFEE000, content, length=length)


END = implicit(0xFFFEE0DD, b"")


def fragments(parts: Iterable[bytes], table: bytes = b"") -> bytes:
    """Encapsulated pixel data with its basic offset table and delimiter."""
    body = item(table) + b"".join(item(part) for part in parts)
    return explicit(0x7FE00010, "OB", body, length=UNDEFINED) + END
