"""Sealing: plaintext in, an age v1 file out.

Needs public keys only. Memory stays flat: one chunk is held back, because only what follows tells whether it
is the last.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.errors import BadInput
from appliance.sealing.derive import header_mac, payload_cipher
from appliance.sealing.header import FILE_KEY_SIZE, render, render_covered
from appliance.sealing.recipients import Recipient
from appliance.sealing.sink import Sink, write_all
from appliance.sealing.stream import CHUNK_SIZE, NONCE_SIZE, chunk_nonce


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was written: SHA-256 of the ciphertext in hex, its size, the size of the plaintext (bytes)."""

    sha256: str
    sealed_size: int
    size: int


class SealingWriter:
    """Writes one sealed file to ``sink`` while it is fed; the header goes out at once.

    The file is only complete after :meth:`finish`: a reader refuses it before. ``file_key`` (16 bytes) and
    ``nonce`` (16 bytes) are drawn when left out; a caller that passes them vouches that this pair is used
    once.
    """

    def __init__(
        self,
        sink: Sink,
        recipients: Sequence[Recipient],
        *,
        file_key: bytes | None = None,
        nonce: bytes | None = None,
    ) -> None:
        if not recipients:
            raise BadInput("There is no recipient to seal to.")
        file_key = secrets.token_bytes(FILE_KEY_SIZE) if file_key is None else file_key
        nonce = secrets.token_bytes(NONCE_SIZE) if nonce is None else nonce
        if len(file_key) != FILE_KEY_SIZE or len(nonce) != NONCE_SIZE:
            raise BadInput("A file key has 16 bytes, and so has a nonce.")
        self._sink = sink
        self._digest = hashlib.sha256()
        self._sealed_size = 0
        self._size = 0
        self._index = 0
        self._held = bytearray(CHUNK_SIZE)
        self._held_size = 0
        self._finished = False
        covered = render_covered([recipient.wrap(file_key) for recipient in recipients])
        self._cipher = payload_cipher(file_key, nonce)
        self._emit(render(covered, header_mac(file_key, covered)) + nonce)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Seal ``data``; whole chunks go to the sink without being copied first."""
        if self._finished:
            raise ValueError("write after finish")
        view = memoryview(data).cast("B")
        self._size += len(view)
        if self._held_size:
            fill = min(CHUNK_SIZE - self._held_size, len(view))
            self._hold(view[:fill])
            view = view[fill:]
        if not view:
            return
        # More follows, so what is held is a whole chunk, or nothing, and not the last one.
        if self._held_size:
            self._seal(self._held, last=False)
            self._held_size = 0
        whole = (len(view) - 1) // CHUNK_SIZE * CHUNK_SIZE
        for start in range(0, whole, CHUNK_SIZE):
            self._seal(view[start : start + CHUNK_SIZE], last=False)
        self._hold(view[whole:])

    def finish(self) -> Sealed:
        """Write the last chunk and return the digest and sizes; durable is what the owner of the sink makes it."""
        if self._finished:
            raise ValueError("finish after finish")
        self._finished = True
        self._seal(memoryview(self._held)[: self._held_size], last=True)
        return Sealed(self._digest.hexdigest(), self._sealed_size, self._size)

    def _hold(self, view: memoryview) -> None:
        end = self._held_size + len(view)
        self._held[self._held_size : end] = view
        self._held_size = end

    def _seal(self, chunk: bytearray | memoryview, *, last: bool) -> None:
        self._emit(self._cipher.encrypt(chunk_nonce(self._index, last=last), chunk, None))
        self._index += 1

    def _emit(self, data: bytes) -> None:
        self._digest.update(data)
        self._sealed_size += len(data)
        write_all(self._sink, data)


def seal(plaintext: bytes | bytearray | memoryview, recipients: Sequence[Recipient]) -> bytes:
    """Return ``plaintext`` sealed to ``recipients``, for what fits in memory."""
    sink = io.BytesIO()
    writer = SealingWriter(sink, recipients)
    writer.write(plaintext)
    writer.finish()
    return sink.getvalue()
