"""Keys of the tunnel as WireGuard spells them: base64 of 32 bytes (X25519, and a preshared secret)."""

from __future__ import annotations

import base64
import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from appliance.errors import Damaged
from appliance.sealing.x25519 import KEY_SIZE


def new_private_key() -> str:
    """Return a fresh private key: a secret, for one device or for the box, never for a database."""
    raw = bytearray(secrets.token_bytes(KEY_SIZE))
    # As wg genkey does; X25519 would do it at every use (RFC 7748 section 5), and wg shows the clamped key.
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return base64.b64encode(raw).decode("ascii")


def new_preshared_key() -> str:
    """Return a fresh preshared key: a secret that one device shares with the box."""
    return base64.b64encode(secrets.token_bytes(KEY_SIZE)).decode("ascii")


def public_key_of(private_key: str) -> str:
    """Return the public key of a private one; :class:`Damaged` when that is not 32 bytes in base64."""
    try:
        private = X25519PrivateKey.from_private_bytes(base64.b64decode(private_key, validate=True))
    except ValueError:
        raise Damaged("A private key of the tunnel cannot be read.") from None
    return base64.b64encode(private.public_key().public_bytes_raw()).decode("ascii")
