"""How many frames an instance is believed to have: what it declares, as far as its pixel data can hold them.

NumberOfFrames is a number in a file; whoever believes it makes room for two thousand million pictures. What a page or
a client is told is bounded by bytes that somebody had to send.
"""

from __future__ import annotations

from math import prod

from appliance.dicom.note import Bulk, Note
from appliance.imaging.fragments import MAX_FRAMES
from appliance.index import merge

_PIXELS = ("7FE00010", "7FE00008", "7FE00009")
# One fragment may hold many frames: a video is one stream (PS3.5 8.2.5 to 8.2.12), and a codestream of JPEG 2000 Part 2
# holds many as its components (PS3.5 8.2.4).
_MANY_IN_ONE = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93")


def believed_frames(note: Note, declared: int) -> int:
    """Return ``declared`` if the pixel data can hold so many, else how many it can, at least 1; 0 without any."""
    bulk = next((note.bulk[tag] for tag in _PIXELS if tag in note.bulk), None)
    return 0 if bulk is None else max(1, min(declared, _room(note, bulk), MAX_FRAMES))


def _room(note: Note, bulk: Bulk) -> int:
    if bulk.fragments is None:
        bits = _frame_bits(note)
        return bulk.length * 8 // bits if bits > 0 else 1
    return bulk.length if note.transfer_syntax.startswith(_MANY_IN_ONE) else len(bulk.fragments)


def _frame_bits(note: Note) -> int:
    """Return the size of a native frame; two samples a pixel where colours are subsampled (PS3.3 C.7.6.3.1.2)."""
    numbers = (merge.first_integer(note.attributes, tag) or 0 for tag in ("00280010", "00280011", "00280100"))
    subsampled = merge.first_text(note.attributes, "00280004") in ("YBR_FULL_422", "YBR_PARTIAL_422")
    return prod(numbers) * (2 if subsampled else merge.first_integer(note.attributes, "00280002") or 1)
