"""What may lie where below a state directory, apart from what lies on the shelves, in the inbox and the decisions."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from appliance.paths import StatePaths
from appliance.upkeep.findings import Finding, finding
from appliance.upkeep.folders import entries, is_folder

SHELF = re.compile(r"[0-9a-f]{2}")
PERSON = r"[0-9a-f]{16}"
FOREIGN = frozenset({"lost+found", "run"})  # a file system's own; the sockets of a box without units


def folders(paths: StatePaths) -> Iterator[Finding]:
    """Yield the folders that are not there though making an archive made them, and what is no folder of ours."""
    needed = (paths.inbox, paths.objects, paths.notes, paths.decisions, paths.audit)
    others = (paths.renditions, paths.netd, paths.tls, paths.courier, paths.alarm, paths.tmp, paths.strays)
    for folder in (*needed, paths.keys, *others, paths.slots, paths.box_keys, *_rooms_shelves(paths)):
        if not is_folder(paths.root, folder.parent):
            continue
        where = str(folder.relative_to(paths.root))
        try:
            found = folder.lstat()
        except FileNotFoundError:
            if folder in needed:
                yield finding("folder-missing", where)
            continue
        if stat.S_ISLNK(found.st_mode):
            yield finding("folder-linked", where)
        elif not stat.S_ISDIR(found.st_mode):
            if folder.parent not in _rooms(paths):  # There it is a stray.
                yield finding("no-folder", where)
        elif folder == paths.strays and not may_hold_strays(paths, found):
            yield finding("folder-foreign", where)


def shelves(paths: StatePaths) -> Iterator[Finding]:
    """Yield the shelves that are not there, as after a backup that left out empty folders."""
    for room in (paths.objects, paths.notes):
        if not is_folder(paths.root, room):
            continue
        linked = {path.name for path in entries(paths.root, room) if path.is_symlink()}
        for name in (f"{byte:02x}" for byte in range(256)):
            if name not in linked and not is_folder(paths.root, room / name):
                yield finding("shelf-missing", f"{room.name}/{name}")


def may_hold_strays(paths: StatePaths, folder: os.stat_result) -> bool:
    """Return whether a folder that was looked at is root's or that of the state's owner.

    Anybody else's is not written to: what root moves there would be in the hands of whoever made it.
    """
    return folder.st_uid in (0, paths.root.stat().st_uid)


def foreign(paths: StatePaths) -> Iterator[Path]:
    """Yield what lies where nothing of the box's has such a name; what belongs to a writer's draft, too.

    Not looked into: the folders of the certificate's and the courier's own, ``tmp`` and ``strays``, and whatever a link
    leads to. A folder that the caller may not read raises :class:`PermissionError`.
    """
    for folder, names in (
        (paths.root, _names(_at_root(paths))),
        (paths.keys, _keys(paths)),
        (paths.slots, re.compile(rf"{PERSON}\.(json|devices)")),
        (paths.box_keys, _names({paths.sealed_wireguard_key.name})),
        (paths.netd, _names(_below(paths, paths.netd))),
        (paths.alarm, _names({paths.exchanged.name})),
        (paths.audit, re.compile(r"[a-z]+(\.\d{12})?\.log")),
        (paths.objects, SHELF),
        (paths.notes, SHELF),
        (paths.renditions, SHELF),
    ):
        yield from (path for path in entries(paths.root, folder) if not names.fullmatch(path.name))
    for path in _rooms_shelves(paths):
        if not path.is_symlink() and not is_folder(paths.root, path):
            yield path
    for path in (paths.root / name for name in sorted(_of_index(paths))):
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            yield path


def _rooms(paths: StatePaths) -> tuple[Path, ...]:
    return paths.objects, paths.notes, paths.renditions


def _rooms_shelves(paths: StatePaths) -> Iterator[Path]:
    for room in _rooms(paths):
        yield from (path for path in entries(paths.root, room) if SHELF.fullmatch(path.name))


def _of_index(paths: StatePaths) -> set[str]:
    return {paths.index_db.name, paths.index_lock.name, *(f"{paths.index_db.name}-{kind}" for kind in ("wal", "shm"))}


def _at_root(paths: StatePaths) -> set[str]:
    files = (paths.index_db, paths.system_db)
    journals = {f"{file.name}-{kind}" for file in files for kind in ("wal", "shm", "journal")}
    return _below(paths, paths.root) | journals | FOREIGN


def _keys(paths: StatePaths) -> re.Pattern[str]:
    return re.compile(rf"[1-9]\d*\.(notes|images)\.(age|pub)|{_names(_below(paths, paths.keys)).pattern}")


def _below(paths: StatePaths, folder: Path) -> set[str]:
    """Return every name that :class:`StatePaths` spells in a folder."""
    return {path.name for path in vars(paths).values() if path.parent == folder}


def _names(known: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(name) for name in sorted(known)))
