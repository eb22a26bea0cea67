"""Canonical unpadded base64, the one spelling of bytes in headers.

RFC 4648 section 4 without padding; bits after the last byte must be zero, so that one value has one spelling.
"""

from __future__ import annotations

import base64
import binascii

from appliance.errors import Damaged


def encode(data: bytes) -> bytes:
    """Return ``data`` as unpadded base64."""
    return base64.b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Return the bytes that ``text`` spells; :class:`Damaged` for any spelling :func:`encode` would not produce."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise Damaged("Stored base64 has foreign characters or an impossible length.") from error
    # Only one spelling comes back the same: this refuses padding and bits after the last byte that are not zero.
    if encode(data) != text:
        raise Damaged("Stored base64 is not canonical.")
    return data
