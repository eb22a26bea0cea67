"""What the outside was told by an appliance, and whether a disk after a power cut still keeps it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from appliance.audit.verify import verify
from appliance.dicom import decision as decisions
from appliance.dicom.decision import Decision
from appliance.dicom.note import from_bytes
from appliance.paths import StatePaths
from appliance.people.store import People
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.slots import open_slot
from tests.samples.part10 import split

Files = dict[str, bytes]


@dataclass(slots=True)
class Told:
    """Acknowledged images (SOPInstanceUID, SHA-256 of the data set) and everything else that was said to be done."""

    stored: set[tuple[str, str]] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    decided: list[str] = field(default_factory=list)
    views: int = 0
    people: dict[str, bool] = field(default_factory=dict)
    epochs: int = 1
    changing: bool = False
    pruned: set[str] = field(default_factory=set)

    def hear(self, said: dict[str, Any]) -> None:
        """Take in one mark of the test's."""
        match said:
            case {"stored": uid, "sha256": digest}:
                self.stored.add((uid, digest))
            case {"deleting": uids}:
                self.deleting |= set(uids)
            case {"deleted": uids}:
                self.deleted |= set(uids)
                self.decided.append("tombstone")
            case {"decided": kind}:
                self.decided.append(kind)
            case {"viewed": _}:
                self.views += 1
            case {"person": name, "here": here}:
                self.people[name] = here
            case {"leaving": name}:
                self.people.pop(name)
            case {"changing": begun}:
                self.changing = begun
            case {"pruned": names}:
                self.pruned |= set(names)
            case {"epoch": number}:
                self.epochs = number
            case _:
                raise AssertionError(f"a mark that means nothing: {said}")


class Keeper:
    """Looks whether a disk keeps what was told; AssertionError names what it lost."""

    def __init__(self, paper: Identity, secrets: dict[str, bytes], owner: str) -> None:
        """``secrets`` are passphrases by name; the paper key opens every epoch."""
        self._paper = paper
        self._secrets = secrets
        self._owner = owner
        self._opened = cache(self._open)
        self._slot = cache(self._open_slot)
        self._record = cache(self._read_record)
        self._list = cache(self._read_list)

    def keeps(self, disk: Files, told: Told) -> None:
        """Return if everything that was told is there, whole, and can be opened by owner and paper."""
        identities = self._keys(disk, told)
        images = self._images(disk, identities)
        gone = told.deleting | told.deleted
        lost = {uid for uid, digest in told.stored - images.keys() if uid not in gone}
        assert not lost, f"acknowledged images lost: {sorted(lost)}"
        taken = self._decisions(disk, identities)
        for kind in set(told.decided):
            assert sum(one.kind == kind for one in taken) >= told.decided.count(kind), f"a {kind} is lost"
        removed = {name for one in taken if one.kind == "tombstone" for name in one.objects}
        back = {uid for (uid, _), name in images.items() if uid in told.deleted and name not in removed}
        assert not back, "a deleted study comes back"
        left = {path for path in disk if path.rpartition("/")[2].partition(".")[0] in self._gone(taken, told)}
        assert not left, f"something of a deleted study is left: {sorted(left)}"
        assert told.changing or "keys/journal.json" not in disk, "a change of keys that was done is unfinished"
        assert not {f"audit/{name}" for name in told.pruned} & disk.keys(), "what was pruned is back"
        self._journal(disk, told)
        self._people(disk, told)
        problems, views = self._record(_part(disk, "audit/"))
        assert not problems, f"the record does not verify: {problems[0]}"
        assert views >= told.views, "a view has lost its line in the record"

    def _journal(self, disk: Files, told: Told) -> None:
        """What is on the disk of a change of keys whose end the record does not know has its journal."""
        journal = disk.get("keys/journal.json")
        if journal is not None:
            assert json.loads(journal)["act"], "the journal of the keys is half written"
            return
        cli = disk["audit/cli.log"] if told.changing else b""
        begun, ended = (len(re.findall(rb'"cli:(join|leave|rotate):%s"' % word, cli)) for word in (b"begin", b"end"))
        if begun <= ended:
            return
        further = [path for path in disk if re.fullmatch(rf"keys/{told.epochs + 1}\..*", path)]
        assert not further, f"nobody knows what {further} was begun for"
        people = {person.id for person in self._list(_part(disk, "system.db"))}
        slots = {path[11:-5] for path in disk if path.startswith("keys/slots/") and path.endswith(".json")}
        assert slots == people, "nobody knows that a slot came or went"

    def _gone(self, taken: list[Decision], told: Told) -> set[str]:
        """Return the objects of the studies of which it was said that they are deleted, in the order of the day."""
        deletions = [one for one in taken if one.kind == "tombstone"]
        return {name for one in deletions[: told.decided.count("tombstone")] for name in one.objects}

    def _keys(self, disk: Files, told: Told) -> tuple[Identity, ...]:
        (owner,) = (name for name, secret in self._slots(disk).items() if name == self._owner)
        identity = self._slots(disk)[owner]
        found: list[Identity] = [self._paper, identity]
        whole = [
            number
            for number in range(1, 10)
            if f"keys/{number}.notes.pub" in disk
        ]  # fmt: skip
        assert whole and max(whole) >= told.epochs, "an epoch is lost"
        for number in whole:
            for kind in ("notes", "images"):
                sealed = disk[f"keys/{number}.{kind}.age"]
                (opened,) = parse_identities(self._opened(sealed, (identity,)).decode())
                assert self._opened(sealed, (self._paper,)), "the paper key does not open an epoch"
                assert str(opened.recipient()) == disk[f"keys/{number}.{kind}.pub"].decode().strip()
                found.append(opened)
        assert len(self._opened(disk["keys/index.age"], tuple(found))) == 32
        self._digests(disk, whole)
        return tuple(found)

    def _digests(self, disk: Files, epochs: list[int]) -> None:
        """A cut accuses no key file: its digest is among those in the list."""
        listed = {tuple(line.split()) for line in disk["keys/SHA256SUMS"].decode().splitlines()}
        names = [
            f"{number}.{kind}.{end}" for number in epochs for kind in ("notes", "images") for end in ("age", "pub")
        ]
        for name in (*names, "index.age"):
            assert (hashlib.sha256(disk[f"keys/{name}"]).hexdigest(), name) in listed, f"{name} is accused"

    def _slots(self, disk: Files) -> dict[str, Identity]:
        names = {person.id: person.name for person in self._list(_part(disk, "system.db"))}
        slots = {}
        for path, raw in disk.items():
            person = path.removeprefix("keys/slots/").removesuffix(".json")
            if path.startswith("keys/slots/") and path.endswith(".json") and person in names:
                slots[names[person]] = self._slot(raw, names[person])
        return slots

    def _open_slot(self, raw: bytes, name: str) -> Identity:
        return Identity.parse(open_slot(raw, self._secrets[name]).decode())

    def _people(self, disk: Files, told: Told) -> None:
        people = self._list(_part(disk, "system.db"))
        here = {person.name for person in people if not person.left_at}
        for name, is_here in told.people.items():
            assert (name in here) == is_here, f"{name} is {'gone' if is_here else 'back'}"
            if not is_here:
                slots = {path for path in disk if path.startswith("keys/slots/") and path.endswith(".json")}
                assert slots == {f"keys/slots/{person.id}.json" for person in people}, f"the slot of {name} is back"
            else:
                identity = self._slots(disk)[name]
                assert self._opened(disk[f"keys/{told.epochs}.images.age"], (identity,))

    def _images(self, disk: Files, identities: tuple[Identity, ...]) -> dict[tuple[str, str], str]:
        """Return the object's id of every whole pair, by its SOPInstanceUID and the digest of its data set."""
        found = {}
        for object_id in self._pairs(disk):
            sealed = _first(disk, f"objects/{object_id[:2]}/{object_id}.age", f"inbox/{object_id}.age")
            note = _first(disk, f"notes/{object_id[:2]}/{object_id}.note.age", f"inbox/{object_id}.note.age")
            assert hashlib.sha256(sealed).hexdigest() == object_id, "a half-written object has its name"
            plain = self._opened(sealed, identities)
            meta, offset = split(plain)
            assert from_bytes(self._opened(note, identities)).object == object_id
            digest = hashlib.sha256(plain[offset:]).hexdigest()
            found[meta[0x0003].rstrip(b"\0").decode(), digest] = object_id
        return found

    def _pairs(self, disk: Files) -> list[str]:
        names = {path.rpartition("/")[2] for path in disk if path.startswith(("inbox/", "objects/", "notes/"))}
        notes = {name.removesuffix(".note.age") for name in names if name.endswith(".note.age")}
        return sorted(one for one in notes if len(one) == 64 and f"{one}.age" in names)

    def _decisions(self, disk: Files, identities: tuple[Identity, ...]) -> list[Decision]:
        named = [path for path in disk if path.startswith("decisions/") and path[10:18].isdecimal()]
        return [decisions.from_bytes(self._opened(disk[path], identities)) for path in sorted(named)]

    def _open(self, sealed: bytes, identities: tuple[Identity, ...]) -> bytes:
        assert sealed, "a file of no length has its name"
        return open_sealed(sealed, unwrap(list(identities), read_header(io.BytesIO(sealed))))

    def _read_record(self, logs: tuple[tuple[str, bytes], ...]) -> tuple[list[str], int]:
        with tempfile.TemporaryDirectory() as scratch:
            lay_out(dict(logs), Path(scratch))
            problems = [
                f"{p.file} {p.line} {p.reason}" for log in verify(StatePaths(Path(scratch))) for p in log.problems
            ]
        text = b"".join(raw for _, raw in logs)
        return problems, text.count(b'"keyagent:study:')

    def _read_list(self, files: tuple[tuple[str, bytes], ...]) -> list[Any]:
        with tempfile.TemporaryDirectory() as scratch:
            lay_out(dict(files), Path(scratch))
            people = People(StatePaths(Path(scratch)).system_db)
            try:
                return people.everybody()
            finally:
                people.close()


def lay_out(disk: Files, root: Path) -> None:
    """Write files below ``root``."""
    for name, raw in disk.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)


def read_mark(data: bytes) -> dict[str, Any]:
    """Return one mark of the test's."""
    said: dict[str, Any] = json.loads(data)
    return said


def _part(disk: Files, start: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted((name, raw) for name, raw in disk.items() if name.startswith(start)))


def _first(disk: Files, *names: str) -> bytes:
    return next(disk[name] for name in names if name in disk)
