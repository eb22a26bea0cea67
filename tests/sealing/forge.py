"""Age files made by hand, each part replaceable, so that a test can break exactly one thing.

The MAC is always computed over what is there: a refusal then comes from the defect, not from the MAC.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.sealing import unpadded
from appliance.sealing.derive import header_mac, payload_cipher
from appliance.sealing.identities import Identity
from appliance.sealing.stream import CHUNK_SIZE, chunk_nonce

IDENTITY = Identity(bytes(range(32)))
FILE_KEY = b"YELLOW SUBMARINE"
NONCE = bytes(range(100, 116))
STANZA = IDENTITY.recipient().wrap(FILE_KEY, ephemeral=bytes([7]) * 32)
SHARE = STANZA.arguments[0].encode()
BODY = unpadded.encode(STANZA.body)
VERSION = b"age-encryption.org/v1\n"
OURS = b"-> X25519 " + SHARE + b"\n" + BODY + b"\n"


def covered(*stanzas: bytes, version: bytes = VERSION) -> bytes:
    return version + b"".join(stanzas) + b"---"


def mac_of(head: bytes) -> bytes:
    return unpadded.encode(header_mac(FILE_KEY, head))


def header(*stanzas: bytes, version: bytes = VERSION) -> bytes:
    head = covered(*stanzas, version=version)
    return head + b" " + mac_of(head) + b"\n"


def chunk(index: int, text: bytes, *, last: bool) -> bytes:
    return payload_cipher(FILE_KEY, NONCE).encrypt(chunk_nonce(index, last=last), text, None)


def stream(texts: Sequence[bytes]) -> bytes:
    return b"".join(chunk(i, text, last=i == len(texts) - 1) for i, text in enumerate(texts))


def sealed(text: bytes = b"age", *stanzas: bytes) -> bytes:
    texts = [text[i : i + CHUNK_SIZE] for i in range(0, len(text), CHUNK_SIZE)] or [b""]
    return header(*(stanzas or (OURS,))) + NONCE + stream(texts)
