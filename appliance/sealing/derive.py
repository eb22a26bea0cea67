"""The keys that age derives from a file key.

HKDF-SHA-256 (RFC 5869) with the labels of the C2SP age specification.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.errors import Damaged
from appliance.sealing.header import Header


def hkdf(secret: bytes, *, salt: bytes, info: bytes, size: int = 32) -> bytes:
    """Return ``size`` bytes of HKDF-SHA-256 (RFC 5869); an empty salt means the RFC's default of zeros."""
    return HKDF(algorithm=SHA256(), length=size, salt=salt, info=info).derive(secret)


def header_mac(file_key: bytes, covered: bytes) -> bytes:
    """Return the 32-byte MAC over the covered part of a header (C2SP age, "Header MAC")."""
    key = hkdf(file_key, salt=b"", info=b"header")
    return hmac.new(key, covered, hashlib.sha256).digest()


def verify_header(file_key: bytes, header: Header) -> None:
    """Raise :class:`Damaged` unless whoever wrote the header knew the file key."""
    if not hmac.compare_digest(header_mac(file_key, header.covered), header.mac):
        raise Damaged("A sealed file's header was altered, or the key belongs to another file.")


def payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    """Return the cipher of the payload's chunks; ``nonce`` is the 16 bytes after the header (C2SP age, "Payload")."""
    return ChaCha20Poly1305(hkdf(file_key, salt=nonce, info=b"payload"))
