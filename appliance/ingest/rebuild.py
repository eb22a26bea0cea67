"""Making the index anew beside the old one, then putting it in its place."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing, suppress

from appliance.archive.files import FileBackend
from appliance.errors import Damaged
from appliance.index.store import Index
from appliance.ingest.index_file import index_key, index_lock
from appliance.ingest.settle import Settler
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths


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
            count = Settler(archive, agent, token, index, current_epoch(paths)).catch_up(progress)
            if not give_up:
                with suppress(Damaged), closing(Index.open(paths.index_db, key)) as old:
                    Settler(archive, agent, token, old, current_epoch(paths)).catch_up()
                    index.miss(old.lost(), old.missed())
            index.close()
            for suffix in ("-wal", "-shm"):
                paths.index_db.with_name(paths.index_db.name + suffix).unlink(missing_ok=True)
            fresh.rename(paths.index_db)
        finally:
            for suffix in ("", "-wal", "-shm"):
                fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
            agent.logout(token)
    return count
