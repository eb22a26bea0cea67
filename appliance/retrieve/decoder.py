"""The web process's way to the decoder: pixels out of bytes that it never parses itself."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from appliance import sockets
from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.imaging import jobs
from appliance.imaging.jobs import Answer, Request
from appliance.imaging.shape import FrameShape, Layout

_CHUNK = 1 << 20


class Decoder:
    """A client of the decoder's socket; safe to share between threads, one connection a job.

    ``timeout`` is in seconds for the whole job, waiting for a free place included.
    """

    def __init__(self, socket_path: Path, timeout: float = 120.0) -> None:
        self._path = socket_path
        self._timeout = timeout

    def decode(self, shape: FrameShape, data: bytes) -> bytes:
        """Return one frame uncompressed, little endian, as Explicit VR Little Endian holds it."""
        return self.decode_described(shape, data)[1]

    def decode_described(self, shape: FrameShape, data: bytes) -> tuple[FrameShape, bytes]:
        """Return how the uncompressed frame is described (colours may differ from the data set), then
        the frame."""
        answer, native = self._ask(Request("frame", len(data), shape), data)
        if answer.shape is None:
            raise Damaged("The decoder answered something malformed.")
        return answer.shape, native

    def view(self, shape: FrameShape, data: bytes) -> tuple[Layout, bytes]:
        """Return one frame as a browser wants it: interleaved stored values, RGB for colours."""
        answer, samples = self._ask(Request("view", len(data), shape), data)
        layout = answer.layout
        if layout is None or len(samples) != layout.rows * layout.columns * layout.samples * layout.bits // 8:
            raise Damaged("The decoder answered something malformed.")
        return layout, samples

    def native_file(self, part10: bytes) -> bytes:
        """Return a Part 10 file in Explicit VR Little Endian with uncompressed pixels."""
        return self._ask(Request("native_file", len(part10)), part10)[1]

    def _ask(self, request: Request, payload: bytes) -> tuple[Answer, bytes]:
        """Raise what the decoder raised, or :class:`EnvironmentProblem` where it cannot be reached or
        is too slow."""
        if request.size > jobs.MAX_PAYLOAD:
            raise BadInput("The image is larger than the decoder accepts.")
        deadline = time.monotonic() + self._timeout
        try:
            with sockets.connect(self._path) as connection:
                connection.settimeout(self._timeout)
                _send(connection, jobs.pack_request(request), payload)
                head = _receive(connection, jobs.PREFIX.size, deadline)
                answer = jobs.parse_answer(bytes(_receive(connection, jobs.head_length(bytes(head)), deadline)))
                return answer, bytes(_receive(connection, answer.size, deadline))
        except TimeoutError as error:
            raise EnvironmentProblem("The decoder did not answer in time.", "Try again.") from error
        except OSError as error:
            raise EnvironmentProblem("The decoder cannot be reached.", "Restart the appliance.") from error


def _send(connection: socket.socket, *parts: bytes) -> None:
    """Send a job; a decoder that refused it early has an answer waiting, which is read instead."""
    try:
        for part in parts:
            connection.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(connection: socket.socket, size: int, deadline: float) -> bytearray:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(min(size - len(data), _CHUNK))
        if not chunk:
            raise Damaged("The decoder broke off in the middle of its answer.", "Try again.")
        data += chunk
    return data
