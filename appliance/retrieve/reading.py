"""Every way to an image leads through here: file keys are asked of the key agent, one audited batch for a view."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.archive.backend import Backend
from appliance.errors import BadInput, Damaged, NotFound
from appliance.index.rows import Entry
from appliance.keyring.client import AgentClient
from appliance.retrieve.contents import Contents
from appliance.sealing.header import read_header

MOST_VIEWS = 128
VIEW_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the token of the lease, the lease's id, the person's id, the device's (empty for the box itself)."""

    token: str
    lease: str
    person: str
    device: str = ""


# What an edge asks to learn who reads: a coroutine function over the edge's own request.
Authenticate = Callable[..., Coroutine[Any, Any, Reader]]


@dataclass(slots=True)
class _View:
    """The file keys that one reader was given for one series, and until when they are used again."""

    ends: float
    keys: dict[str, bytes] = field(default_factory=dict)


class Reading:
    """Opens objects for readers.

    Scrolling through a series is one read: the first picture asks for the keys of the whole series in one batch, which
    the agent audits as one line, and the others use them again for a quarter of an hour. What arrives meanwhile is
    asked for by itself.
    """

    def __init__(self, archive: Backend, agent: AgentClient) -> None:
        self._archive = archive
        self._agent = agent
        self._views: OrderedDict[tuple[str, str, str], _View] = OrderedDict()
        self._lock = threading.Lock()

    def keys(self, reader: Reader, purpose: str, study_key: str, entries: Sequence[Entry]) -> dict[str, bytes]:
        """Return the file keys of ``entries``, all of one series, by object id; a damaged object has none.

        Raises :class:`NotLoggedIn` when the lease has ended, :class:`Refused` when it does not cover them.
        """
        now = time.monotonic()
        name = (reader.lease, purpose, entries[0].series)
        with self._lock:
            view = self._views.get(name)
            if view is None or now > view.ends:
                view = self._views[name] = _View(now + VIEW_SECONDS)
            self._views.move_to_end(name)
            while len(self._views) > MOST_VIEWS:
                self._views.popitem(last=False)
        missing = [entry for entry in entries if entry.object not in view.keys]
        if missing:
            view.keys.update(self._unwrapped(reader, purpose, study_key, missing))
        return view.keys

    def _unwrapped(self, reader: Reader, purpose: str, study_key: str, entries: Sequence[Entry]) -> dict[str, bytes]:
        """Ask for the keys in one batch; one in which something is damaged is halved until that stands alone."""
        try:
            headers = [self._header(entry) for entry in entries]
            found = self._agent.unwrap(reader.token, purpose, study_key, headers)
            return dict(zip([entry.object for entry in entries], found, strict=True))
        except (BadInput, Damaged, NotFound):
            if len(entries) == 1:
                return {}
        half = len(entries) // 2
        first = self._unwrapped(reader, purpose, study_key, entries[:half])
        return first | self._unwrapped(reader, purpose, study_key, entries[half:])

    def known(self, reader: Reader, purpose: str, entry: Entry) -> bytes | None:
        """Return the file key of ``entry`` if this reader's view of its series has it already."""
        view = self._views.get((reader.lease, purpose, entry.series))
        return view.keys.get(entry.object) if view is not None and time.monotonic() <= view.ends else None

    def contents(self, entry: Entry, file_key: bytes) -> Contents:
        """Open one object with its file key."""
        return Contents(self._archive.object(entry.object), file_key, entry)

    def forget(self, lease: str) -> None:
        """Forget every key that was given to one lease."""
        with self._lock:
            for name in [name for name in self._views if name[0] == lease]:
                del self._views[name]

    def _header(self, entry: Entry) -> bytes:
        with self._archive.object(entry.object) as file:
            return read_header(file).raw
