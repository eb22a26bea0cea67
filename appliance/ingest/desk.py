"""The sorting desk: opens the index when somebody unlocks and settles arrivals for as long as the box is unlocked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from appliance.archive.files import FileBackend
from appliance.errors import Damaged, EnvironmentProblem, Locked, NegatoError
from appliance.index.store import Index
from appliance.ingest.index_file import index_key, index_lock, inode
from appliance.ingest.settle import Settler
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.logs import log, log_unexpected
from appliance.paths import StatePaths

PAUSE_SECONDS = 0.2
AGENT_SECONDS = 20.0


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
        self._opened = threading.Event()
        self._ended = threading.Event()

    def start(self, on_end: Callable[[], None]) -> None:
        """Begin to follow the key agent, in threads of the desk's own; ``on_end`` is called once it has gone."""
        threading.Thread(target=self._follow, args=(on_end,), name="desk", daemon=True).start()

    def index(self) -> Index:
        """Return the open index; :class:`Locked` when there is none, the reason when it could not be opened."""
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, self._failure.next_step)
        index = self._index
        if index is None:
            raise Locked("The archive is locked.", "Log in to unlock it.")
        return index

    def wait_open(self, seconds: float) -> bool:
        """Return whether the index was open within ``seconds``; raise the reason when it cannot be opened."""
        opened = self._opened.wait(seconds)
        if opened:
            self.index()
        return opened

    def _follow(self, on_end: Callable[[], None]) -> None:
        try:
            for locked in self._agent.watch(AGENT_SECONDS):
                if locked or self._index is not None or self._failure is not None:
                    continue
                if self._try_open():
                    threading.Thread(target=self._work, name="settle", daemon=True).start()
        except NegatoError as error:
            log("desk.stopped", reason=type(error).__name__, message=error.message)
        except Exception as error:
            log_unexpected(error)
        self._ended.set()
        on_end()

    def _try_open(self) -> bool:
        """Open the index; what stands in the way is told to whoever asks for it, until the next lock."""
        try:
            self._open()
        except NegatoError as error:
            log("desk.closed", reason=type(error).__name__, message=error.message)
            self._failure = error
            self._opened.set()
            return False
        return True

    def _open(self) -> None:
        token = self._agent.job()
        key = index_key(self._paths, self._agent, token)
        with index_lock(self._paths):
            index = self._open_or_rebuild(key)
        self._settler = Settler(self._archive, self._agent, token, index, current_epoch(self._paths))
        self._key = key
        self._inode = inode(self._paths)
        self._index = index
        self._opened.set()

    def _open_or_rebuild(self, key: bytes) -> Index:
        try:
            return Index.open(self._paths.index_db, key)
        except Damaged:
            log("index.damaged", next="rebuilt from the notes")
            for suffix in ("", "-wal", "-shm"):
                self._paths.index_db.with_name(self._paths.index_db.name + suffix).unlink(missing_ok=True)
            return Index.open(self._paths.index_db, key)

    def _work(self) -> None:
        seen, first = -1, True
        while not self._ended.wait(0 if first else PAUSE_SECONDS):
            try:
                self._reopen_if_replaced()
                if first:
                    with index_lock(self._paths):
                        self._settler.catch_up()
                    first = False
                    self._on_change()
                now = self._archive.inbox_stamp()
                if now != seen:
                    # A file system's clock is coarse: what arrives in the same tick leaves the same stamp.
                    seen = -1 if self._settle() else now
            except EnvironmentProblem as error:
                log("settle.waiting", message=error.message)
                first = False
            except NegatoError as error:
                log("settle.failed", reason=type(error).__name__, message=error.message)
                return
            except Exception as error:
                log_unexpected(error)
                first = False

    def _settle(self) -> bool:
        moment, found = self._clock(), False
        with index_lock(self._paths):
            for done in self._settler.run(moment):
                found = True
                if done.new:
                    self._on_change()
        return found

    def _reopen_if_replaced(self) -> None:
        index = self.index()
        if inode(self._paths) == self._inode:
            return
        with index_lock(self._paths):
            self._index = Index.open(self._paths.index_db, self._key)
            self._inode = inode(self._paths)
            self._settler.use(self._index)
        index.close()
        self._on_change()
