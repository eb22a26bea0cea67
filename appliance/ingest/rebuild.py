"""Making the index anew beside the old one, then putting it in its place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from appliance.archive.files import FileBackend
from appliance.errors import Damaged
from appliance.index.store import Index
from appliance.ingest.index_file import index_key, index_lock
from appliance.ingest.settle import Settler
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths


def _as_the_old_one(fresh: Path, paths: StatePaths) -> None:
    """Give what root made to whom the index, or the folder that it was made in, belongs to."""
    if os.geteuid() == 0:
        owner = (paths.index_db if paths.index_db.exists() else fresh.parent).stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.chmod(0o640)


def rebuild(
    paths: StatePaths,
    archive: FileBackend,
    agent: AgentClient,
    progress: Callable[[int, int], None],
    *,
    give_up: bool = False,
) -> int:
    """Index every note on the shelves into a new file and replace the index by it; return how many there were.

    Somebody must be logged in. Arrivals wait in the inbox meanwhile. ``progress`` gets objects done and in all. The
    pages notice the new file by its inode and go over to it. What the old index knows to have vanished from the disk is
    missed by the new one, too, unless it is given up.
    """
    token = agent.job()
    key = index_key(paths, agent, token)
    paths.tmp.mkdir(mode=0o750, exist_ok=True)
    fresh = paths.tmp / f"index-{secrets.token_hex(8)}.db"
    with index_lock(paths):
        try:
            index = Index.open(fresh, key)
            settler = Settler(archive, agent, token, index, current_epoch(paths))
            with suppress(Damaged), closing(Index.open(paths.index_db, key)) as old:
                for known in (old.applied(), old.missed()):
                    settler.book.keep_above(known)
                if not give_up:
                    Settler(archive, agent, token, old, current_epoch(paths)).catch_up()
                    index.miss(old.lost(), old.missed())
            count = settler.catch_up(progress)
            index.close()
            _as_the_old_one(fresh, paths)
            for suffix in ("-wal", "-shm"):
                paths.index_db.with_name(paths.index_db.name + suffix).unlink(missing_ok=True)
            fresh.rename(paths.index_db)
        finally:
            for suffix in ("", "-wal", "-shm"):
                fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
            agent.logout(token)
    return count
