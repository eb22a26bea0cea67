"""Canonical unpadded base64, the one spelling of bytes in headers.

RFC 4648 section 4 without padding; bits after the last byte must be zero, so that one value has one spelling.
"""

from __future__ import annotations

import base64
import binascii
import re

from appliance.errors import Damaged

_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*\Z")


def encode(data: bytes) -> bytes:
    """Return ``data`` as unpadded base64."""
    return base64.b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Return the bytes that ``text`` spells; :class:`Damaged` for any spelling :func:`encode` would not produce."""
    if not _ALPHABET.match(text):
        raise Damaged("Stored base64 has foreign characters.")
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise Damaged("Stored base64 has an impossible length.") from error
    if encode(data) != text:
        raise Damaged("Stored base64 is not canonical.")
    return data
