"""Value representations: their header form, and which one an element has when the data set does not say."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, private_dictionary_VR

# PS3.5 table 7.1-1: two reserved bytes, then a 32-bit length.
LONG_HEADER: Final = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
SHORT_HEADER: Final = frozenset(
    [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
BINARY: Final = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "UN"])

# As found in an explicit header: the VR, and whether the long form of the header follows.
HEADERS: Final[dict[bytes, tuple[str, bool]]] = {
    vr.encode(): (vr, vr in LONG_HEADER) for vr in sorted(LONG_HEADER | SHORT_HEADER)
}

PIXEL_DATA: Final = 0x7FE00010
ALWAYS_BULK: Final = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
LOOKUP_TABLES: Final = frozenset(
    {0x00281201, 0x00281202, 0x00281203, 0x00281204, 0x00281221, 0x00281222, 0x00281223, 0x00283006}
)

_PUBLIC: Final[dict[int, str]] = {int(tag): entry[0] for tag, entry in DicomDictionary.items()}


@lru_cache(maxsize=4096)
def _repeating(tag: int) -> str:
    """Return the VR of a public tag missing from the plain dictionary: group length, repeating group or
    ``UN``.
    """
    if tag & 0xFFFF == 0:
        return "UL"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def public(tag: int) -> str:
    """Return the dictionary's VR of a public element; may be ambiguous (``US or SS``); ``UN`` when unknown
    (PS3.6).
    """
    vr = _PUBLIC.get(tag)
    return _repeating(tag) if vr is None else vr


@lru_cache(maxsize=4096)
def private(tag: int, creator: str) -> str:
    """Return the VR of a private element of a vendor's block; ``LO`` for a creator, ``UN`` when unknown
    (PS3.5 7.8).
    """
    if 0x10 <= tag & 0xFFFF <= 0xFF:
        return "LO"
    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return "UN"


def settle(vr: str, length: int, signed: bool) -> str:
    """Decide an ambiguous VR of an implicit data set: by PixelRepresentation for integers, ``OW`` for words.

    PS3.5 A.1 makes PixelData, WaveformData and overlays OW in implicit little endian; LUT data of a single
    word is an integer (PS3.3 C.11.1.1.1). ``length`` is that of the value in bytes.
    """
    if vr == "US or SS":
        return "SS" if signed else "US"
    if vr == "US or OW":
        return "US" if length == 2 else "OW"
    if vr in {"OB or OW", "US or SS or OW"}:
        return "OW"
    return "UN" if vr == "NONE" else vr
