"""One job in its own process: read it, decode it, answer, exit."""

from __future__ import annotations

import mmap
import os
import socket

from appliance.decoder.confine import Confinement, confine
from appliance.errors import BadInput, NegatoError
from appliance.imaging import jobs
from appliance.imaging.jobs import Answer, Request

_CHUNK = 1 << 20


class Worker:
    """What the child does with its connection; ``run`` may be extended by whoever tests the confinement."""

    def __init__(self, limits: Confinement, max_payload: int = jobs.MAX_PAYLOAD) -> None:
        self.limits = limits
        self.max_payload = max_payload

    def serve(self, connection: socket.socket, answering: mmap.mmap) -> None:
        """Handle the one job of ``connection``; ``answering`` becomes 1 before the first byte of an
        answer."""
        payload: bytes | memoryview = b""
        try:
            prefix = bytes(receive(connection, jobs.PREFIX.size))
            described = bytes(receive(connection, jobs.head_length(prefix)))
            request = jobs.parse_request(described, self.max_payload)
            self.prepare(request)
            confine(self.limits, connection.fileno())
            data = bytes(receive(connection, request.size))
            answer, payload = self.run(request, data)
            head = jobs.pack_answer(answer)
        except NegatoError as error:
            head = jobs.pack_error(error)
        except MemoryError:
            head = jobs.pack_error(BadInput("The image needs more memory than the decoder may take."))
        except Exception:
            # the text of a parser's error may quote the picture's data: it goes nowhere
            head = jobs.pack_error(BadInput("The image cannot be decoded: it is damaged or not valid DICOM."))
        answering[0] = 1
        connection.sendall(head)
        connection.sendall(payload)

    def prepare(self, request: Request) -> None:
        """Load what the job needs while files can still be opened."""
        if request.kind == "native_file":
            from appliance.decoder import nativefile

            nativefile.preload()

    def run(self, request: Request, data: bytes) -> tuple[Answer, bytes]:
        """Return the answer to a job, confined already."""
        if request.shape is None:
            from appliance.decoder.nativefile import native_file

            whole = native_file(data)
            return Answer(len(whole)), whole
        from appliance.imaging.frames import decode, normalise

        shape, native = decode(request.shape, data)
        if request.kind == "frame":
            return Answer(len(native), shape), native
        layout, samples = normalise(shape, native)
        return Answer(len(samples), shape, layout), samples


def receive(connection: socket.socket, size: int) -> bytearray:
    """Return exactly ``size`` bytes; memory grows with what arrives, not with what was announced."""
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(min(size - len(data), _CHUNK))
        if not chunk:
            raise BadInput("The job was cut short before the decoder had all of it.")
        data += chunk
    return data


def run_child(worker: Worker, connection: socket.socket, answering: mmap.mmap) -> None:
    """Serve one job and leave without running anything that belongs to the parent."""
    status = 1
    try:
        worker.serve(connection, answering)
        status = 0
    finally:
        os._exit(status)
