"""The index as a file: its key, the lock between those who write it, and whether it was replaced."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.durable import let_go
from appliance.errors import Damaged, Refused
from appliance.keyring.client import AgentClient
from appliance.paths import StatePaths
from appliance.regular import read_regular
from appliance.sealing.header import read_header
from appliance.sealing.reader import open_sealed

KEY_BYTES = 32
LARGEST_KEY = 64 * 1024


def index_key(paths: StatePaths, agent: AgentClient, token: str) -> bytes:
    """Return the raw key of the index, 32 bytes, sealed to the notes identity in keys/index.age."""
    try:
        sealed = read_regular(paths.index_key, LARGEST_KEY)
    except OSError as error:
        raise Damaged(
            "The key of the index (keys/index.age) cannot be read.", "Restore keys/ from a backup."
        ) from error
    try:
        (file_key,) = agent.unwrap(token, "index", "", [read_header(io.BytesIO(sealed)).raw])
        key = open_sealed(sealed, file_key)
    except (Damaged, Refused) as error:
        raise Damaged("The key of the index (keys/index.age) is damaged.", "Restore keys/ from a backup.") from error
    if len(key) != KEY_BYTES:
        raise Damaged("The key of the index (keys/index.age) is damaged.", "Restore keys/ from a backup.")
    return key


@contextmanager
def index_lock(paths: StatePaths) -> Iterator[None]:
    """Hold the right to write the index, across processes."""
    fd = os.open(paths.index_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        let_go(fd)


def inode(paths: StatePaths) -> int:
    """Return the inode of the index file: another one means that it was rebuilt, 0 that it is gone."""
    try:
        return paths.index_db.stat().st_ino
    except FileNotFoundError:
        return 0


def remove_index(paths: StatePaths) -> None:
    """Delete the index, which can be made again from notes and decisions. The caller holds the index lock."""
    for suffix in ("", "-wal", "-shm"):
        paths.index_db.with_name(paths.index_db.name + suffix).unlink(missing_ok=True)
