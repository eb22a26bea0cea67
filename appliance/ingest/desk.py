"""The sorting desk: opens the index when somebody unlocks and settles arrivals for as long as the box is unlocked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from appliance.archive.files import FileBackend
from appliance.errors import Damaged, Locked, NegatoError, NotLoggedIn
from appliance.index.store import Index
from appliance.ingest.index_file import index_key, index_lock, inode, remove_index
from appliance.ingest.settle import Settler
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.logs import log, log_unexpected
from appliance.paths import StatePaths

PAUSE_SECONDS = 0.2
TROUBLE_SECONDS = 2.0
AGENT_SECONDS = 20.0
SORTING_SECONDS = 2.0


class Desk:
    """Follows the key agent; while unlocked it holds the open index and keeps the inbox empty."""

    def __init__(
        self,
        paths: StatePaths,
        archive: FileBackend,
        agent: AgentClient,
        clock: Callable[[], datetime],
        on_change: Callable[[], None],
    ) -> None:
        """``on_change`` is called after arrivals were indexed, from a thread of the desk's."""
        self._paths = paths
        self._archive = archive
        self._agent = agent
        self._clock = clock
        self._on_change = on_change
        self._index: Index | None = None
        self._failure: NegatoError | None = None
        self._settler: Settler | None = None
        self._worker: threading.Thread | None = None
        self._inode, self._key = 0, b""
        self._quarantined = 0
        self._behind, self._inbox_seen, self._decisions_seen = True, -1, -1
        self._look_again = threading.Event()
        self._opened, self._sorted = threading.Event(), threading.Event()
        self._ended, self._now = threading.Event(), threading.Event()
        self._round_over = threading.Condition()

    def start(self, on_end: Callable[[], None], on_sessions: Callable[[], None] = lambda: None) -> None:
        """Begin to follow the key agent, in threads of the desk's own.

        ``on_sessions`` is called when sessions began or ended, ``on_end`` once the agent has gone.
        """
        threading.Thread(target=self._follow, args=(on_end, on_sessions), name="desk", daemon=True).start()

    def index(self) -> Index:
        """Return the open index; :class:`Locked` when there is none, the reason when it could not be opened."""
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, self._failure.next_step)
        index = self._index
        if index is None:
            raise Locked("The archive is locked.", "Log in to unlock it.")
        return index

    def quarantined(self) -> int:
        """Return how many images are kept out of sight because another one has their SOPInstanceUID."""
        if (settler := self._settler) is not None:
            self._quarantined = len(settler.book.decided.out_of_sight)
        return self._quarantined

    def wait_open(self, seconds: float) -> bool:
        """Return whether the index was open within ``seconds``; raise the reason when it cannot be opened.

        It will not be any more once the key agent has gone.

        What arrived while it was closed is waited for as well, ``SORTING_SECONDS`` at most: who asks at once should
        not be told that there is nothing.
        """
        opened = self._opened.wait(seconds)
        if opened and not self._ended.is_set():
            self.index()
            self._sorted.wait(SORTING_SECONDS)
        return opened and not self._ended.is_set()

    def wait_listed(self, sop_instances: Sequence[str], seconds: float) -> bool:
        """Sort what arrived at once; return whether all of these are listed within ``seconds``."""
        deadline = time.monotonic() + seconds
        self._now.set()
        with self._round_over, contextlib.suppress(NegatoError):
            while len(self.index().known(sop_instances)) < len(set(sop_instances)):
                if not self._round_over.wait(deadline - time.monotonic()):
                    return False
            return True
        return False

    def _follow(self, on_end: Callable[[], None], on_sessions: Callable[[], None]) -> None:
        try:
            for locked in self._agent.watch(AGENT_SECONDS):
                on_sessions()
                if not locked:
                    self._look_again.set()
                    if self._worker is None:
                        self._worker = threading.Thread(target=self._work, name="settle", daemon=True)
                        self._worker.start()
        except NegatoError as error:
            log("desk.stopped", reason=type(error).__name__, message=error.message)
        except Exception as error:
            log_unexpected(error)
        self._ended.set()
        for waited in (self._now, self._opened, self._sorted):
            waited.set()
        on_end()

    def _work(self) -> None:
        """Do a round five times a second; when something stands in the way, wait, look at everything afresh, go on."""
        pause = 0.0
        while True:
            self._now.wait(pause)
            if self._ended.is_set():
                return
            self._now.clear()
            pause = PAUSE_SECONDS
            try:
                self._round()
                with self._round_over:
                    self._round_over.notify_all()
                continue
            except NotLoggedIn:
                self._settler = None  # The lease of this work has ended; another one is asked for.
            except NegatoError as error:
                log("settle.waiting", reason=type(error).__name__, message=error.message)
                if self._index is None:
                    self._failure = error  # Told to whoever asks, the waiting login first.
                    self._opened.set()
                elif isinstance(error, Damaged):
                    self._make_anew()
                pause = TROUBLE_SECONDS
            except Exception as error:
                log_unexpected(error)
                pause = TROUBLE_SECONDS
            self._behind, self._inbox_seen, self._decisions_seen = True, -1, -1

    def _round(self) -> None:
        settler = self._settler or self._open()
        self._reopen_if_replaced(settler)
        if self._look_again.is_set():
            self._look_again.clear()
            settler.try_damaged_again()
            self._inbox_seen = -1
        if self._behind:
            with index_lock(self._paths):
                settler.catch_up()
            self._behind = False
            self._on_change()
        # A file system's clock is coarse: what comes in the same tick leaves the same stamp.
        decided = self._archive.decisions_stamp()
        if decided != self._decisions_seen:
            with index_lock(self._paths):
                followed = settler.follow()
            self._decisions_seen = -1 if followed else decided
            if followed:
                self._on_change()
        arrived = self._archive.inbox_stamp()
        if arrived != self._inbox_seen:
            self._inbox_seen = -1 if self._settle(settler) else arrived
        self._sorted.set()

    def _open(self) -> Settler:
        token = self._agent.job()
        key = index_key(self._paths, self._agent, token)
        index = self._index
        if index is None:
            with index_lock(self._paths):
                index = self._open_or_replace(key)
            self._inode = inode(self._paths)
        self._settler = Settler(self._archive, self._agent, token, index, current_epoch(self._paths))
        self._key = key
        self._index, self._failure = index, None
        self._opened.set()
        return self._settler

    def _open_or_replace(self, key: bytes) -> Index:
        try:
            return Index.open(self._paths.index_db, key)
        except Damaged:
            log("index.damaged", next="rebuilt from the notes")
            remove_index(self._paths)
            return Index.open(self._paths.index_db, key)

    def _make_anew(self) -> None:
        """Look whether it is the index that is damaged; if so begin a new one, which the next round fills."""
        try:
            index = self._index
            if index is None:
                return
            try:
                index.verify()
                return
            except Damaged:
                log("index.damaged", next="rebuilt from the notes")
            with index_lock(self._paths):
                remove_index(self._paths)
                self._index = Index.open(self._paths.index_db, self._key)
                self._inode = inode(self._paths)
            index.close()
            self._settler = None
        except NegatoError as error:
            log("settle.waiting", reason=type(error).__name__, message=error.message)

    def _settle(self, settler: Settler) -> bool:
        moment, found = self._clock(), False
        with index_lock(self._paths):
            for done in settler.run(moment):
                found = True
                if done.new:
                    self._on_change()
        return found

    def _reopen_if_replaced(self, settler: Settler) -> None:
        index = self.index()
        if inode(self._paths) == self._inode:
            return
        with index_lock(self._paths):
            self._index = Index.open(self._paths.index_db, self._key)
            self._inode = inode(self._paths)
            settler.use(self._index)
        index.close()
        self._on_change()
