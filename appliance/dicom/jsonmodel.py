"""One element's value in the DICOM JSON model (PS3.18 F.2) from its bytes.

Nothing here raises: a number that is none, a character set that does not fit and an odd length keep what was
sent, as text or as a shorter list, because refusing an image for it would lose the image.
"""

from __future__ import annotations

import re
import struct
from base64 import b64encode
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from appliance.dicom.charsets import Decode

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_PN_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_SPECIAL: Final = {"nan": "NaN", "inf": "inf", "-inf": "-inf"}

# struct letter and size of the binary numbers.
_NUMBERS: Final = {
    "US": ("H", 2),
    "SS": ("h", 2),
    "UL": ("L", 4),
    "SL": ("l", 4),
    "UV": ("Q", 8),
    "SV": ("q", 8),
    "FL": ("f", 4),
    "FD": ("d", 8),
}
_WORDS: Final = {"OB": 1, "UN": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}

# Text kept whole (a backslash is just a character) and text of several values (PS3.5 table 6.2-1).
_WHOLE: Final = frozenset({"ST", "LT", "UT", "UR"})
# Only these follow SpecificCharacterSet; the others are ISO 646.
CHARACTER_SET_VRS: Final = frozenset({"SH", "LO", "ST", "LT", "PN", "UC", "UT"})


def number(text: str) -> int | float | str:
    """Return a DS or IS value as a number, or the text itself where JSON cannot hold it as one."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= 64 and _DECIMAL.fullmatch(text):
        value = float(text)
        if isfinite(value):
            return value
    return text


def person_name(text: str) -> dict[str, str] | None:
    """Split a person name into its component groups (PS3.5 6.2.1); ``None`` if all are empty.

    A fourth group and what follows is not legal; it stays attached to the third rather than being dropped.
    """
    groups = text.split("=", 2)
    named = {key: group.strip(" \0") for key, group in zip(_PN_GROUPS, groups, strict=False)}
    return {key: group for key, group in named.items() if group} or None


def _texts(text: str) -> list[Any]:
    return [part.strip(" \0") or None for part in text.split("\\")]


def _decimals(text: str) -> list[Any]:
    return [None if not (part := piece.strip(" \0")) else number(part) for piece in text.split("\\")]


def _names(text: str) -> list[Any]:
    return [person_name(part) for part in text.split("\\")]


def _single(text: str) -> list[Any]:
    return [text.rstrip(" \0")]


_SPLITTERS: Final[dict[str, Callable[[str], list[Any]]]] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI"), _texts),
    **dict.fromkeys(("DS", "IS"), _decimals),
    **dict.fromkeys(_WHOLE, _single),
    "PN": _names,
}


def _float(value: float) -> float | str:
    return value if isfinite(value) else _SPECIAL[str(value)]


def numbers(vr: str, raw: bytes, big: bool = False) -> list[Any]:
    """Return the binary numbers of ``raw``; bytes left over at the end are ignored, NaN and infinities become
    text.
    """
    letter, size = _NUMBERS[vr]
    count = len(raw) // size
    values = struct.unpack_from(f"{'>' if big else '<'}{count}{letter}", raw)
    return [_float(value) for value in values] if letter in "fd" else list(values)


def _swapped(raw: bytes, size: int) -> bytes:
    whole = len(raw) - len(raw) % size
    swapped = bytearray(raw)
    for index in range(size):
        swapped[index:whole:size] = raw[size - 1 - index : whole : size]
    return bytes(swapped)


def element(vr: str, raw: bytes, decode: Decode, big: bool = False) -> dict[str, Any]:
    """Return ``{"vr": vr, "Value": [...]}`` or ``InlineBinary``, or the VR alone for an empty value (PS3.18
    F.2.5).

    ``raw`` is the value field as transferred, ``decode`` comes from :func:`appliance.dicom.charsets.decoder`,
    ``big`` says that it is big endian; binary results are little endian as F.2.7 asks. Unknown VRs are
    treated as ``UN``.
    """
    if not raw:
        return {"vr": vr}
    split = _SPLITTERS.get(vr)
    if split is not None:
        if vr in CHARACTER_SET_VRS:
            values = split(decode(raw))
        else:
            values = split(raw.decode("ascii" if raw.isascii() else "latin_1"))
        if len(values) == 1 and values[0] in (None, ""):
            return {"vr": vr}
        return {"vr": vr, "Value": values}
    if vr in _NUMBERS:
        values = numbers(vr, raw, big)
        return {"vr": vr, "Value": values} if values else {"vr": vr}
    if vr == "AT":
        order = ">" if big else "<"
        pairs = struct.iter_unpack(order + "HH", raw[: len(raw) // 4 * 4])
        values = [f"{group:04X}{item:04X}" for group, item in pairs]
        return {"vr": vr, "Value": values} if values else {"vr": vr}
    if big and _WORDS.get(vr, 1) > 1:
        raw = _swapped(raw, _WORDS[vr])
    return {"vr": vr, "InlineBinary": b64encode(raw).decode("ascii")}
