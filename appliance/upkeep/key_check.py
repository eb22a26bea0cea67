"""The part of a check that looks at keys and those who hold them: key files, slots, the tunnel's key, the alarm."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from appliance.errors import BadInput, Damaged, NegatoError
from appliance.keyring.possession import devices
from appliance.keyring.public import KINDS, UNREADABLE, exchanged_keys, read_recipient
from appliance.keyring.sums import is_as_written, read_sums
from appliance.network.wireguard_key import KEY_TEXT, require_key
from appliance.paths import Kind, StatePaths
from appliance.people.store import People
from appliance.regular import read_regular
from appliance.sealing.slots import read_slot_header
from appliance.sealing.tunnel_keys import public_key_of
from appliance.upkeep import key_journal
from appliance.upkeep.findings import Finding, finding
from appliance.upkeep.folders import entries, is_folder
from appliance.upkeep.forms import LARGEST_KEY, holds, is_sealed


def keys(paths: StatePaths) -> Iterator[Finding]:
    """Yield what is wrong with the key files, the slots and the alarm over exchanged keys."""
    if _is_hidden(paths, paths.keys):
        return
    yield from _alarm(paths)
    yield from _key_files(paths)
    yield from _slots(paths)
    copy = paths.sealed_wireguard_key
    if copy in entries(paths.root, paths.box_keys) and not is_sealed(copy, "X25519"):
        yield finding("key-damaged", _name(paths, copy))


def tunnel(paths: StatePaths) -> Iterator[Finding]:
    """Yield what is wrong with the tunnel's two keys.

    Raises :class:`PermissionError` when the caller may not read them.
    """
    if _is_hidden(paths, paths.netd):
        return
    there = entries(paths.root, paths.netd)
    found = {}
    for path in (paths.wireguard_key, paths.wireguard_public):
        if path not in there:
            yield finding("tunnel-key-missing", _name(paths, path))
            continue
        try:
            found[path] = require_key(read_regular(path, KEY_TEXT + 1).decode("ascii").removesuffix("\n"), path.name)
        except PermissionError:
            raise
        except (OSError, ValueError, BadInput):
            yield finding("tunnel-key-damaged", _name(paths, path))
    if len(found) == 2 and public_key_of(found[paths.wireguard_key]) != found[paths.wireguard_public]:
        yield finding("tunnel-key-damaged", _name(paths, paths.wireguard_public))


def people(paths: StatePaths) -> Iterator[Finding]:
    """Yield whether the list of people is as it was written, and who of them has no slot."""
    if not _is_plain(paths.system_db):
        yield finding("people-damaged", paths.system_db.name)
        return
    listed = People(paths.system_db)
    try:
        if not holds(listed.everybody):
            yield finding("people-damaged", paths.system_db.name)
        elif not paths.key_journal.exists() and not any(_is_hidden(paths, one) for one in (paths.keys, paths.slots)):
            for slot in (paths.slots / f"{one.id}.json" for one in listed.everybody() if one.role != "technician"):
                if not slot.exists():
                    yield finding("key-missing", _name(paths, slot))
    finally:
        listed.close()


def _alarm(paths: StatePaths) -> Iterator[Finding]:
    """Yield the public keys that were exchanged: while the alarm stands, nothing is taken in."""
    if paths.exchanged in entries(paths.root, paths.alarm):
        for name in exchanged_keys(paths):
            readable = paths.keys.name if name != UNREADABLE else paths.alarm.name
            yield finding("key-exchanged", f"{readable}/{name}")


def _key_files(paths: StatePaths) -> Iterator[Finding]:
    unfinished = 0
    if paths.key_journal.exists():
        whole = holds(partial(key_journal.pending, paths))
        yield finding("keys-unfinished" if whole else "key-damaged", _name(paths, paths.key_journal))
        unfinished = _epoch_under_way(paths)
    yield from _listed_keys(paths, settled=not paths.key_journal.exists())
    for number in _epochs(paths):
        if number == unfinished:
            continue
        for kind in KINDS:
            recipient, identity = _of_epoch(paths, number, kind)
            if not recipient.exists():
                yield finding("key-missing", _name(paths, recipient))
            elif not holds(partial(read_recipient, paths, number, kind)) or not is_as_written(paths, recipient):
                yield finding("key-damaged", _name(paths, recipient))
            yield from _sealed_key(paths, identity)
    yield from _sealed_key(paths, paths.index_key)
    if paths.paper_recipient.exists() and not is_as_written(paths, paths.paper_recipient):
        yield finding("key-damaged", _name(paths, paths.paper_recipient))


def _slots(paths: StatePaths) -> Iterator[Finding]:
    if _is_hidden(paths, paths.slots):
        return
    there = entries(paths.root, paths.slots)
    slots = [path for path in there if path.match("*.json")]
    if not slots:
        yield finding("key-missing", _name(paths, paths.slots))
    for slot in slots:
        if not holds(partial(_read_slot, slot)):
            yield finding("key-damaged", _name(paths, slot))
    for held in (path for path in there if path.match("*.devices")):
        if not holds(partial(devices, paths, held.stem)):
            yield finding("key-damaged", _name(paths, held))


def _listed_keys(paths: StatePaths, settled: bool) -> Iterator[Finding]:
    """Yield what SHA256SUMS names and is not there, unless keys are being changed; the list itself, gone or damaged."""
    try:
        listed = read_sums(paths)
    except NegatoError:
        yield finding("key-damaged", _name(paths, paths.key_sums))
        return
    if listed is None:
        yield finding("key-missing", _name(paths, paths.key_sums))
        return
    if not settled:
        return
    epochs = {path.name for number in _epochs(paths) for kind in KINDS for path in _of_epoch(paths, number, kind)}
    for name in sorted(set(listed) - epochs - {paths.index_key.name}):
        if not (paths.keys / name).exists():
            yield finding("key-missing", f"{paths.keys.name}/{name}")


def _epochs(paths: StatePaths) -> list[int]:
    names = (re.match(r"([1-9]\d*)\.(notes|images)\.", path.name) for path in entries(paths.root, paths.keys))
    return sorted({int(match[1]) for match in names if match}) or [1]


def _of_epoch(paths: StatePaths, number: int, kind: Kind) -> tuple[Path, Path]:
    return paths.epoch_recipient(number, kind), paths.epoch_identity(number, kind)


def _epoch_under_way(paths: StatePaths) -> int:
    try:
        entry = key_journal.pending(paths)
    except NegatoError:
        return 0
    return entry.epoch if entry else 0


def _read_slot(path: Path) -> None:
    header = read_slot_header(read_regular(path, LARGEST_KEY))
    if header.person != path.stem:
        raise Damaged("This slot is somebody else's.")


def _sealed_key(paths: StatePaths, path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield finding("key-missing", _name(paths, path))
    elif not is_sealed(path) or not is_as_written(paths, path):
        yield finding("key-damaged", _name(paths, path))


def _is_hidden(paths: StatePaths, folder: Path) -> bool:
    """Return whether something else lies where a folder belongs; a missing one hides nothing."""
    return os.path.lexists(folder) and not is_folder(paths.root, folder)


def _is_plain(path: Path) -> bool:
    return os.path.lexists(path) and stat.S_ISREG(path.lstat().st_mode)


def _name(paths: StatePaths, path: Path) -> str:
    return str(path.relative_to(paths.root))
