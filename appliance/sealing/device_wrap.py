"""A person's device half, wrapped under a secret that one device holds.

The secret has 32 bytes, as a browser's cookie or a passkey's PRF yields; HKDF-SHA-256 (RFC 5869) makes a key of it for
ChaCha20-Poly1305 (RFC 8439). A secret of that size needs no slow derivation.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.errors import BadInput, Damaged, Refused
from appliance.sealing.derive import hkdf

HALF_SIZE = 32
SECRET_SIZE = 32
SALT_SIZE = 16
NONCE_SIZE = 12
SEALED_SIZE = HALF_SIZE + 16

_INFO = b"negatoscope device half v1"


def wrap_half(half: bytes, secret: bytes, context: bytes, salt: bytes | None = None) -> bytes:
    """Return ``half`` (32 bytes) wrapped under ``secret`` (32 bytes): 16 bytes of salt, then 48 of ciphertext.

    ``context`` says whose wrap it is, and of which kind; the same must be given to open it. The key serves this one
    encryption, because the salt is fresh (drawn when left out), so the nonce is zero.
    """
    salt = secrets.token_bytes(SALT_SIZE) if salt is None else salt
    if len(half) != HALF_SIZE or len(salt) != SALT_SIZE:
        raise BadInput("A device half or its salt has the wrong size.")
    return salt + _cipher(secret, salt).encrypt(bytes(NONCE_SIZE), half, context)


def open_half(wrapped: bytes, secret: bytes, context: bytes) -> bytes:
    """Return the 32 bytes in a wrap; :class:`Refused` for another secret or context, :class:`Damaged` for no wrap."""
    if len(wrapped) != SALT_SIZE + SEALED_SIZE:
        raise Damaged("A device's wrap has the wrong size.", "Claim the device again.")
    try:
        salt = wrapped[:SALT_SIZE]
        return _cipher(secret, salt).decrypt(bytes(NONCE_SIZE), wrapped[SALT_SIZE:], context)
    except InvalidTag:
        raise Refused("This device is not one of the person's own.", "Claim the device.") from None


def _cipher(secret: bytes, salt: bytes) -> ChaCha20Poly1305:
    if len(secret) != SECRET_SIZE:
        raise BadInput("A device's secret has 32 bytes.")
    return ChaCha20Poly1305(hkdf(secret, salt=salt, info=_INFO))
