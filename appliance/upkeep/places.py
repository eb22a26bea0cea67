"""What may lie where below a state directory, apart from the shelves, the inbox and the decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from appliance.paths import StatePaths

SHELF = re.compile(r"[0-9a-f]{2}")
PERSON = r"[0-9a-f]{16}"
FOREIGN = frozenset({"lost+found", "run"})  # a file system's own; the sockets of a box without units


def missing(paths: StatePaths) -> Iterator[Path]:
    """Yield the folders that are not there though making an archive made them."""
    for folder in (paths.inbox, paths.objects, paths.notes, paths.decisions, paths.audit):
        if not folder.is_dir():
            yield folder


def foreign(paths: StatePaths) -> Iterator[Path]:
    """Yield what lies where nothing of the box's has such a name; what belongs to a writer's draft, too.

    Not looked into: the folders of the certificate's and the courier's own, ``tmp`` and ``strays``. A folder that the
    caller may not read raises :class:`PermissionError`.
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
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if not names.fullmatch(path.name))
    for room in (paths.objects, paths.notes, paths.renditions):
        if room.is_dir():
            yield from (path for path in sorted(room.iterdir()) if SHELF.fullmatch(path.name) and not _folder(path))


def _folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


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
