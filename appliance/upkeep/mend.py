"""Mending what a check found and what can be derived: nothing that might be the only copy is ever deleted.

Root mends a state in which others may write. Every folder is therefore opened without following a link and acted on by
its descriptor, and what cannot be done stays a finding.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from appliance.paths import StatePaths
from appliance.upkeep.findings import Finding
from appliance.upkeep.folders import FLAGS, opened
from appliance.upkeep.places import may_hold_strays

LONGEST_NAME = 240  # bytes, of 255 with what makes it unique


def mend(paths: StatePaths, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Move strays into strays/, delete renditions without an object, make missing shelves.

    Yields every finding as it is now.
    """
    acts = {"stray": _set_aside, "rendition-stray": _delete, "shelf-missing": _make_shelf}
    for one in findings:
        act = acts.get(one.what)
        try:
            done = act is not None and act(paths, paths.root / one.where)
        except OSError:
            done = False
        yield replace(one, repaired=True) if done else one


def _set_aside(paths: StatePaths, path: Path) -> bool:
    with opened(paths.root, path.parent) as source, _strays(paths) as strays:
        if strays is None:
            return False
        os.rename(path.name, _fresh_name(path.name), src_dir_fd=source, dst_dir_fd=strays)
        os.fsync(strays)
        os.fsync(source)
    return True


def _delete(paths: StatePaths, path: Path) -> bool:
    with opened(paths.root, path.parent) as folder:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
            return _set_aside(paths, path)
        os.unlink(path.name, dir_fd=folder)
    return True


def _make_shelf(paths: StatePaths, shelf: Path) -> bool:
    """Make a shelf that belongs to whom its room belongs to."""
    with opened(paths.root, shelf.parent) as room:
        os.mkdir(shelf.name, 0o700, dir_fd=room)
        fd = os.open(shelf.name, FLAGS | os.O_NOFOLLOW, dir_fd=room)
        try:
            _take_after(fd, os.fstat(room), 0o777)
        except OSError:
            os.rmdir(shelf.name, dir_fd=room)
            raise
        finally:
            os.close(fd)
        os.fsync(room)
    return True


@contextlib.contextmanager
def _strays(paths: StatePaths) -> Iterator[int | None]:
    """Yield a descriptor of strays/, which is made if it is not there; ``None`` when it is not to be written to.

    Whoever may write at the top of the state, as the pages may, may remove what lies there: a deletion must.
    """
    top = paths.root.stat()
    if os.geteuid() not in (0, top.st_uid):
        yield None
        return
    with opened(paths.root, paths.root) as root, contextlib.suppress(FileExistsError):
        os.mkdir(paths.strays.name, 0o700, dir_fd=root)
    with opened(paths.root, paths.strays) as fd:
        if not may_hold_strays(paths, os.fstat(fd)):
            yield None
            return
        _take_after(fd, top, 0o770)
        yield fd


def _take_after(fd: int, model: os.stat_result, most: int) -> None:
    """Give a folder the owner, the group and, within ``most``, the rights of another, as far as the caller may."""
    found = os.fstat(fd)
    if (found.st_uid, found.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(fd, model.st_uid, model.st_gid)
    os.fchmod(fd, stat.S_IMODE(model.st_mode) & most)


def _fresh_name(name: str) -> str:
    """Return a name that is not taken and no longer than a file system allows."""
    kept = os.fsencode(name.lstrip("."))[-LONGEST_NAME:]
    return f"{secrets.token_hex(4)}-{os.fsdecode(kept)}"
