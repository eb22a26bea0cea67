"""How WireGuard spells keys: 32 bytes in padded base64, one spelling for one key."""

from __future__ import annotations

import base64
import binascii

from appliance.errors import BadInput

KEY_SIZE = 32
KEY_TEXT = 44


def require_key(text: object, field: str) -> str:
    """Return ``text`` if it spells 32 bytes, not all zero, canonically; else :class:`BadInput` that names ``field``.

    The message never quotes the text, which may be a secret.
    """
    if not isinstance(text, str) or len(text) != KEY_TEXT or not text.isascii():
        raise BadInput(f"{field} is not a WireGuard key.", "A key has 44 characters of base64.")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"{field} is not a WireGuard key.", "A key has 44 characters of base64.") from None
    # Only one spelling comes back the same: this refuses bits after the last byte that are not zero.
    if len(raw) != KEY_SIZE or not any(raw) or base64.b64encode(raw).decode("ascii") != text:
        raise BadInput(f"{field} is not a WireGuard key.", "A key has 44 characters of base64.")
    return text
