"""DICOM unique identifiers, ours included."""

from __future__ import annotations

import re

# A UUID-derived root (PS3.5 B.2): needs no registration and can never collide with a vendor's.
IMPLEMENTATION_UID = "2.25.111630893078604099487620864740552426617"
IMPLEMENTATION_VERSION = "NEGATOSCOPE"

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)


def is_valid_uid(text: object) -> bool:
    """Say whether ``text`` is a UID (PS3.5 9.1): up to 64 characters, digits in components divided by single
    dots.

    Components with leading zeros are let through, since real devices send them and they harm nobody; nothing
    that could be a path, an empty component or a trailing newline is.
    """
    return isinstance(text, str) and len(text) <= 64 and _UID.fullmatch(text) is not None
