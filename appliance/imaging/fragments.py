"""Which fragments of encapsulated pixel data make which frame (PS3.5 A.4)."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

from appliance.errors import BadInput

Fragment = tuple[int, int]
Read = Callable[[int, int], bytes]
MAX_FRAMES = 1_000_000
# End of image in JPEG and JPEG-LS, end of codestream in JPEG 2000 (T.81 B.1.1.3, 15444-1 A.4.4)
_ENDINGS = (b"\xff\xd9",)
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")


def frame_fragments(
    fragments: Sequence[Fragment],
    frames: int,
    read: Read,
    *,
    offset_table: Sequence[int] = (),
    extended_offsets: bytes = b"",
) -> list[tuple[Fragment, ...]]:
    """Return, frame by frame, the ``(offset, length)`` of the fragments to join.

    ``fragments`` are the items after the basic offset table in file order, each the place of its value;
    ``offset_table`` holds that table's entries and ``extended_offsets`` the value of (7FE0,0001), both
    counted in
    bytes from the first fragment's item header. ``read(offset, length)`` is asked for a few bytes at fragment
    boundaries, and only where no table helps. Raises :class:`BadInput` where frames and fragments do not fit.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise BadInput("The image declares an impossible number of frames.")
    if not fragments:
        raise BadInput("The image holds no compressed pixel data.")
    if extended_offsets:
        table = _extended(extended_offsets, frames)
        if table and (grouped := _by_table(fragments, frames, table)):
            return grouped
    if frames == 1:
        return [tuple(fragments)]
    if offset_table and (grouped := _by_table(fragments, frames, offset_table)):
        return grouped
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    if len(fragments) > frames and (grouped := _by_markers(fragments, frames, read)):
        return grouped
    raise BadInput("The image's frames cannot be told apart: its fragments do not fit its number of frames.")


def trim(frame: bytes, lengths: bytes, index: int) -> bytes:
    """Return frame ``index`` (from 0) cut to its length in (7FE0,0002), unchanged where that value
    says nothing."""
    if len(lengths) < 8 * (index + 1):
        return frame
    (length,) = struct.unpack_from("<Q", lengths, 8 * index)
    return frame[:length] if 0 < length <= len(frame) else frame


def _extended(raw: bytes, frames: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{frames}Q", raw) if len(raw) >= 8 * frames else ()


def _by_table(fragments: Sequence[Fragment], frames: int, table: Sequence[int]) -> list[tuple[Fragment, ...]] | None:
    """Cut at the table's offsets; ``None`` if one of them is not where an item begins (a table to ignore)."""
    if len(table) < frames:
        return None
    base = fragments[0][0] - 8
    starts = [offset - 8 - base for offset, _ in fragments]
    cuts = []
    for entry in table[:frames]:
        index = bisect_left(starts, entry)
        if index == len(starts) or starts[index] != entry:
            return None
        cuts.append(index)
    if cuts[0] != 0 or any(left >= right for left, right in pairwise(cuts)):
        return None
    ends = [*cuts[1:], len(fragments) if len(table) == frames else bisect_left(starts, table[frames])]
    if ends[-1] <= cuts[-1]:
        return None
    return [tuple(fragments[left:right]) for left, right in zip(cuts, ends, strict=True)]


def _by_markers(fragments: Sequence[Fragment], frames: int, read: Read) -> list[tuple[Fragment, ...]] | None:
    """A frame ends with the fragment whose last bytes hold the end marker and whose successor begins a
    stream."""
    groups: list[tuple[Fragment, ...]] = []
    current: list[Fragment] = []
    for index, (offset, length) in enumerate(fragments):
        current.append((offset, length))
        last = index + 1 == len(fragments)
        if last or (_ends(offset, length, read) and _begins(*fragments[index + 1], read)):
            groups.append(tuple(current))
            current = []
            if len(groups) > frames:
                return None
    return groups if len(groups) == frames else None


def _ends(offset: int, length: int, read: Read) -> bool:
    tail = read(offset + max(length - 10, 0), min(length, 10))
    return any(ending in tail for ending in _ENDINGS)


def _begins(offset: int, length: int, read: Read) -> bool:
    return read(offset, min(length, 8)).startswith(_BEGINNINGS)
