"""What stands before a data set in a file: preamble, prefix, File Meta Information (PS3.10 7.1)."""

from __future__ import annotations

import struct

from appliance.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION, is_valid_uid
from appliance.errors import BadInput

_PREAMBLE = bytes(128) + b"DICM"


def file_head(sop_class: str, sop_instance: str, transfer_syntax: str, *, source_ae: str = "") -> bytes:
    """Return the bytes that make a Part 10 file of a data set in ``transfer_syntax`` that follows them.

    ``source_ae`` is the AE title of the sender (PS3.10 table 7.1-1, Source Application Entity Title), left
    out if it is empty or not an AE title. Raises :class:`BadInput` for anything that is not a UID. The same
    arguments give the same bytes.
    """
    for uid in (sop_class, sop_instance, transfer_syntax):
        if not is_valid_uid(uid):
            raise BadInput("A UID of the image is malformed.", "Have the sending device corrected.")
    elements = [
        _long(0x0001, b"OB", b"\x00\x01"),
        _uid(0x0002, sop_class),
        _uid(0x0003, sop_instance),
        _uid(0x0010, transfer_syntax),
        _uid(0x0012, IMPLEMENTATION_UID),
        _short(0x0013, b"SH", _even(IMPLEMENTATION_VERSION.encode("ascii"), b" ")),
    ]
    title = source_ae.strip(" ")
    if 0 < len(title) <= 16 and all(0x20 <= ord(character) < 0x7F for character in title) and "\\" not in title:
        elements.append(_short(0x0016, b"AE", _even(title.encode("ascii"), b" ")))
    body = b"".join(elements)
    return _PREAMBLE + _short(0x0000, b"UL", struct.pack("<L", len(body))) + body


def _even(value: bytes, filler: bytes) -> bytes:
    return value + filler if len(value) % 2 else value


def _uid(number: int, uid: str) -> bytes:
    return _short(number, b"UI", _even(uid.encode("ascii"), b"\0"))


def _short(number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def _long(number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHL", 2, number, vr, 0, len(value)) + value
