"""The X25519 kind of stanza: what its two sides share.

C2SP age, "The X25519 recipient type".
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.errors import Damaged
from appliance.sealing.derive import hkdf
from appliance.sealing.stream import TAG_SIZE

KIND = "X25519"
KEY_SIZE = 32
WRAPPED_SIZE = 16 + TAG_SIZE
RECIPIENT_HRP = "age"
IDENTITY_HRP = "AGE-SECRET-KEY-"
# One key wraps one file key and nothing else, ever: a constant nonce is what the specification asks for.
WRAP_NONCE = bytes(12)

_LABEL = b"age-encryption.org/v1/X25519"


def agree(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return the 32-byte shared secret (RFC 7748 section 6.1); :class:`Damaged` if it is all zero.

    A point of low order gives a secret that everybody knows; the specification refuses it.
    """
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        shared = bytes(KEY_SIZE)
    if not any(shared):
        raise Damaged("A sealed file has a recipient of low order.")
    return shared


def wrap_cipher(shared: bytes, *, share: bytes, recipient: bytes) -> ChaCha20Poly1305:
    """Return the cipher that wraps the file key between an ephemeral ``share`` and a ``recipient`` (32 bytes each)."""
    return ChaCha20Poly1305(hkdf(shared, salt=share + recipient, info=_LABEL))
