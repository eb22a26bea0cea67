"""The receiver's socket: reads what an association may send and not a byte more.

pynetdicom believes the length in a PDU's head and reads that much, from anybody, before any association exists. Here
every read is capped, a silent peer is let go, and the acknowledgement that Nagle's algorithm waits for is sent at once.
"""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

ASSOCIATION_PDU = 256 * 1024
SILENCE_SECONDS = 60.0
WAIT_SECONDS = 0.1


class GuardedSocket(AssociationSocket):
    """A socket of one association that reads at most ``longest_pdu`` at a time and ``largest`` for one message."""

    def __init__(
        self, association: Association, connection: socket.socket, longest_pdu: int, largest: int, waker: int
    ) -> None:
        """``waker`` is a descriptor whose readability ends a wait for data early."""
        connection.settimeout(SILENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(association, client_socket=connection)
        self._longest_pdu = longest_pdu
        self._largest = largest
        self._message = 0
        self._waker = waker

    def message_over(self) -> None:
        """Start counting anew: a message was handled."""
        self._message = 0

    @property
    def ready(self) -> bool:
        """Wait for data up to ``WAIT_SECONDS``; return whether there is any.

        pynetdicom polls this every millisecond; waiting here instead costs no processor time and no latency.
        """
        if self.socket is None or not self._is_connected:
            return False
        waiting = select.poll()  # select(2) knows no descriptor beyond 1,023, which many associations reach.
        try:
            for descriptor in (self.socket.fileno(), self._waker):
                waiting.register(descriptor, select.POLLIN)
            readable = [descriptor for descriptor, _ in waiting.poll(WAIT_SECONDS * 1000)]
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False
        if self._waker in readable:
            os.eventfd_read(self._waker)
        return self.socket.fileno() in readable

    def recv(self, nr_bytes: int) -> bytearray:
        """Return ``nr_bytes`` bytes, fewer at the end of the stream; :class:`OSError` when that is too much.

        pynetdicom takes an OSError for a closed connection, which is what this peer gets.
        """
        connection: Any = self.socket
        limit = self._longest_pdu if self.assoc.is_established else ASSOCIATION_PDU
        self._message += nr_bytes
        if nr_bytes > limit or self._message > self._largest:
            raise OSError("A peer announced more than it may send.")
        buffer = bytearray(nr_bytes)
        view = memoryview(buffer)
        done = 0
        while done < nr_bytes:
            count = connection.recv_into(view[done:])
            if not count:
                break
            done += count
            # dcmtk's senders keep Nagle's algorithm on: the last small segment of a message waits for our ACK, which
            # the kernel delays by 40 ms. The option has to be set again after every read (tcp(7)).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        view.release()
        del buffer[done:]
        return buffer
