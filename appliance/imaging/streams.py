"""The header of a compressed frame, read before any codec sees it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from appliance.errors import BadInput

# SOF0..SOF15 without DHT, JPG and DAC (T.81 table B.1), and SOF55 of JPEG-LS (T.87 C.1.1)
_SOF = frozenset(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7})
_MAX_SEGMENTS = 4096


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a codestream says of itself. ``marker`` is the SOF code of JPEG and JPEG-LS, 0 for JPEG 2000."""

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    marker: int = 0
    component_ids: tuple[int, ...] = ()
    jfif: bool = False
    adobe: int | None = None


def read_jpeg_header(data: bytes) -> StreamHeader:
    """Return the frame header of a JPEG or JPEG-LS stream (T.81 B.2.2, T.87 C.2.2); raise
    :class:`BadInput`."""
    if data[:2] != b"\xff\xd8":
        raise BadInput("A compressed frame does not begin like a JPEG image.")
    position, jfif, adobe = 2, False, None
    for _ in range(_MAX_SEGMENTS):
        while position + 2 < len(data) and data[position] == 0xFF and data[position + 1] == 0xFF:
            position += 1
        if position + 4 > len(data) or data[position] != 0xFF:
            break
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + length]
        if length < 2 or len(body) != length - 2 or marker == 0xDA:
            break
        if marker in _SOF:
            return _frame_header(marker, body, jfif, adobe)
        if 0xE0 <= marker <= 0xEF and body.startswith(b"JFIF"):
            jfif = True
        if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        position += 2 + length
    raise BadInput("A compressed frame has no readable JPEG header.")


def _frame_header(marker: int, body: bytes, jfif: bool, adobe: int | None) -> StreamHeader:
    if len(body) < 6:
        raise BadInput("A compressed frame has a damaged JPEG header.")
    precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
    if len(body) < 6 + 3 * samples:
        raise BadInput("A compressed frame has a damaged JPEG header.")
    ids = tuple(body[6 + 3 * index] for index in range(samples))
    return StreamHeader(rows, columns, samples, precision, False, marker, ids, jfif, adobe)


def read_jpeg2000_header(data: bytes) -> StreamHeader:
    """Return the SIZ segment of a JPEG 2000 or HTJ2K codestream, bare or in JP2 (15444-1 A.5.1, I.4)."""
    start = _codestream_start(data)
    if data[start : start + 4] != b"\xff\x4f\xff\x51" or len(data) < start + 45:
        raise BadInput("A compressed frame does not begin like a JPEG 2000 image.")
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, start + 8)
    (samples,) = struct.unpack_from(">H", data, start + 40)
    if right <= left or bottom <= top or not tile_width or not tile_height:
        raise BadInput("A compressed frame has impossible JPEG 2000 dimensions.")
    if not 1 <= samples <= 4 or len(data) < start + 42 + 3 * samples:
        raise BadInput("A compressed frame has an unsupported number of components.")
    components = {data[start + 42 + 3 * index : start + 45 + 3 * index] for index in range(samples)}
    depth, across, down = next(iter(components))
    if len(components) != 1 or (across, down) != (1, 1):
        raise BadInput("A compressed frame has components of different kinds.")
    # every tile costs a decoder memory before a byte of it was read
    if -(-right // tile_width) * -(-bottom // tile_height) > 65535:
        raise BadInput("A compressed frame has too many tiles.")
    return StreamHeader(bottom - top, right - left, samples, (depth & 0x7F) + 1, bool(depth & 0x80))


def _codestream_start(data: bytes) -> int:
    if not data.startswith(b"\x00\x00\x00\x0cjP  "):
        return 0
    position = 12
    for _ in range(_MAX_SEGMENTS):
        if position + 8 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"jp2c":
            return position + (16 if length == 1 else 8)
        if length < 8:
            break
        position += length
    raise BadInput("A compressed frame has no JPEG 2000 codestream.")


def rle_segments(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return ``(start, end)`` of every RLE segment of a frame (PS3.5 G.5); raise :class:`BadInput`."""
    if len(data) < 64:
        raise BadInput("A run-length encoded frame is too short.")
    count, *offsets = struct.unpack_from("<16I", data)
    if not 1 <= count <= 15:
        raise BadInput("A run-length encoded frame has an impossible header.")
    edges = [*offsets[:count], len(data)]
    if edges[0] < 64 or any(start >= end for start, end in pairwise(edges)):
        raise BadInput("A run-length encoded frame has an impossible header.")
    return tuple(pairwise(edges))
