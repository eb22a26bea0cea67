"""The door to people's slots: one guess at a time, each wrong one written down and followed by a wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from appliance.errors import Refused
from appliance.keyring.guesses import Guesses
from appliance.keyring.record import Record

_Opened = TypeVar("_Opened")
LONGEST_PERSON = 64


class Door:
    """Lets one caller at a time try a passphrase: each try costs much memory by design."""

    def __init__(self, record: Record, over: threading.Event) -> None:
        """``over`` is set when the archive is being locked: nobody waits any longer then."""
        self._record = record
        self._over = over
        self._guesses = Guesses()
        self._lock = threading.Lock()
        self._one = threading.Lock()

    @contextmanager
    def turn(self, person: str = "") -> Iterator[None]:
        """Wait for one's turn, and before it for as long as wrong guesses for ``person`` ask for."""
        with self._lock:
            wait = self._guesses.wait(person, time.monotonic()) if person else 0.0
        self._over.wait(wait)
        with self._one:
            yield

    def open(self, person: str, open_it: Callable[[], _Opened]) -> _Opened:
        """Return what ``open_it`` does; a refusal is written down, and the next try for this person waits."""
        try:
            opened = open_it()
        except Refused:
            with self._lock:
                self._guesses.wrong(person, time.monotonic())
            self._record.write("keyagent:person:refused", person=person[:LONGEST_PERSON])
            raise
        with self._lock:
            self._guesses.right(person)
        return opened
