"""How a payload is cut into chunks (C2SP age, "Payload": STREAM)."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.errors import Damaged

NONCE_SIZE = 16
CHUNK_SIZE = 64 * 1024
TAG_SIZE = 16
SEALED_CHUNK_SIZE = CHUNK_SIZE + TAG_SIZE


def chunk_nonce(index: int, *, last: bool) -> bytes:
    """Return the 12-byte nonce of chunk ``index`` from 0: an 11-byte big-endian counter, then the last-chunk
    flag.

    A constant start is safe because the key of every payload is fresh: it is derived from the random payload
    nonce.
    """
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape of a payload that holds ``size`` bytes of plaintext in ``chunks`` chunks, never zero chunks."""

    size: int
    chunks: int

    def sealed_length(self, index: int) -> int:
        """Return how many bytes of ciphertext chunk ``index`` has, tag included."""
        if index < self.chunks - 1:
            return SEALED_CHUNK_SIZE
        return self.size - (self.chunks - 1) * CHUNK_SIZE + TAG_SIZE


def layout_of(payload_size: int) -> Layout:
    """Return the layout of a payload with ``payload_size`` bytes of ciphertext, its nonce not counted.

    Raises :class:`Damaged` for sizes that no plaintext has: a chunk without a whole tag, or an empty last
    chunk after others. The result is a claim until the last chunk has verified.
    """
    full, rest = divmod(payload_size, SEALED_CHUNK_SIZE)
    if rest == 0 and full:
        return Layout(full * CHUNK_SIZE, full)
    if rest < TAG_SIZE:
        raise Damaged("A sealed file is cut short.", "Run: appliance check")
    if rest == TAG_SIZE and full:
        raise Damaged("A sealed file ends in an empty chunk.", "Run: appliance check")
    return Layout(full * CHUNK_SIZE + rest - TAG_SIZE, full + 1)
