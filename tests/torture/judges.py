"""What a file with one flipped bit comes to: for each kind of file, read as the appliance reads it.

A judge returns True when the flip is noticed - an error of ours, a finding - and False when every answer is as it was;
it raises AssertionError for anything else.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, get_args

from appliance.archive.files import FileBackend
from appliance.audit.entries import entries
from appliance.audit.verify import verify
from appliance.dicom.matching import Level, parse_query
from appliance.errors import NegatoError
from appliance.index.store import Index
from appliance.ingest.index_file import remove_index
from appliance.ingest.settle import Settler
from appliance.keyring.epochs import open_key_file
from appliance.keyring.public import current_epoch
from appliance.keyring.sums import read_sums
from appliance.netd.server_key import ServerKey
from appliance.paths import StatePaths
from appliance.people.store import People
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.slots import open_slot
from appliance.upkeep.layout import check_layout
from tests.practice import Practice

Judge = Callable[[bytes], bool]


class Judges:
    """The judges of one archive's files; they work on copies below ``scratch``."""

    def __init__(self, box: Practice, scratch: Path) -> None:
        self._box = box
        self._scratch = scratch
        self._paths = StatePaths(box.state)
        self._identities = self._every_identity()
        self._readers = [self._reader(slot) for slot in sorted(self._paths.slots.glob("*.json"))]
        self._index_key = self._plain(self._paths.index_key.read_bytes())

    def files(self) -> dict[str, list[Path]]:
        """Return every file of the state directory by kind; a file that belongs to none fails."""
        found: dict[str, list[Path]] = {}
        for path in sorted(path for path in self._box.state.rglob("*") if path.is_file()):
            found.setdefault(kind_of(path.relative_to(self._box.state)), []).append(path)
        return found

    def judge(self, kind: str, path: Path) -> Judge:
        """Return the judge of one file."""
        whole = path.read_bytes()
        if kind == "epoch" and path != self._paths.index_key:
            return self._epoch(path, whole)
        if kind in ("object", "note", "decision", "epoch"):
            return self._same(self._plain, whole)
        if kind == "slot":
            secret = self._secret(path)
            return self._same(lambda raw: open_slot(raw, secret, person=path.stem), whole)
        if kind == "recipient":
            return self._same(lambda raw: str(Recipient.parse(raw.decode("ascii").strip())), whole)
        by_file = {
            "format": self._format, "people": self._people, "index": self._index, "audit": self._audit,
            "sums": self._sums, "tunnel": self._tunnel,
        }  # fmt: skip
        return self._same(lambda raw: by_file[kind](path, raw), whole)

    def _same(self, read: Callable[[bytes], object], whole: bytes) -> Judge:
        before = read(whole)

        def judge(flipped: bytes) -> bool:
            try:
                after = read(flipped)
            except (NegatoError, UnicodeDecodeError):
                return True
            assert after == before, "other data, and no error"
            return False

        return judge

    def _plain(self, raw: bytes) -> bytes:
        return open_sealed(raw, unwrap(self._identities, read_header(io.BytesIO(raw))))

    def _every_identity(self) -> list[Identity]:
        self._identities = [self._box.paper()]
        for path in sorted(self._paths.keys.glob("*.*.age")):
            self._identities += parse_identities(self._plain(path.read_bytes()).decode())
        return self._identities

    def _secret(self, slot: Path) -> bytes:
        people = People(self._paths.system_db)
        person = people.by_id(slot.stem)
        people.close()
        assert person is not None
        return self._box.secret(person.name)

    def _reader(self, slot: Path) -> Identity:
        return Identity.parse(open_slot(slot.read_bytes(), self._secret(slot), person=slot.stem).decode())

    def _copied(self, path: Path, raw: bytes) -> StatePaths:
        paths = StatePaths(self._scratch / path.name)
        target = paths.root / path.relative_to(self._box.state)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)
        return paths

    def _epoch(self, path: Path, whole: bytes) -> Judge:
        """Judge a key file as each person with a slot opens it, and as the paper key does, each for himself.

        One whose part is whole learns of the damage; that must not hide what the others are told.
        """
        beside = {file.name: file.read_bytes() for file in (self._paths.key_sums, *self._paths.keys.glob("*.pub"))}

        def opened(raw: bytes, reader: Identity) -> str | None:
            paths = self._copied(path, raw)
            for name, content in beside.items():
                (paths.keys / name).write_bytes(content)
            number, kind, _ = path.name.split(".")
            found = open_key_file(paths, int(number), kind, reader)  # type: ignore[arg-type]
            return None if found is None else found.identity.reveal()

        readers = [partial(opened, reader=reader) for reader in self._readers]
        judges = [self._same(read, whole) for read in (self._plain, *readers)]
        return lambda raw: sum(judge(raw) for judge in judges) > 0

    def _sums(self, path: Path, raw: bytes) -> object:
        return read_sums(self._copied(path, raw))

    def _tunnel(self, path: Path, raw: bytes) -> object:
        paths = self._copied(path, raw)
        for other in (self._paths.wireguard_key, self._paths.wireguard_public):
            if other != path:
                shutil.copy(other, paths.netd)
        key = ServerKey(paths)
        key.make_sure()
        # X25519 sets five bits of a private key itself (RFC 7748 section 5): one of them turned, it is the same key.
        return key.public()

    def _format(self, path: Path, raw: bytes) -> None:
        check_layout(self._copied(path, raw))

    def _people(self, path: Path, raw: bytes) -> object:
        people = People(self._copied(path, raw).system_db)
        try:
            return [person.model_dump() for person in people.everybody()]
        finally:
            people.close()

    def _index(self, path: Path, raw: bytes) -> object:
        """Return what the index says after a login, which first brings it up to what notes and decisions say."""
        scratch = StatePaths(self._scratch / "index")
        remove_index(scratch)
        scratch.root.mkdir(exist_ok=True)
        for part in self._box.state.glob("index.db*"):
            (scratch.root / part.name).write_bytes(raw if part == path else part.read_bytes())
        index = Index.open(scratch.index_db, self._index_key)
        try:
            archive = FileBackend(self._paths, "judge")
            Settler(archive, self, "", index, current_epoch(self._paths)).catch_up()  # type: ignore[arg-type]
            return index_answers(index)
        finally:
            index.close()

    def unwrap(self, _token: str, _purpose: str, _study: str, headers: Sequence[bytes]) -> list[bytes]:
        """Give out file keys, as the key agent does while somebody is logged in."""
        return [unwrap(self._identities, read_header(io.BytesIO(raw))) for raw in headers]

    def _audit(self, path: Path, raw: bytes) -> object:
        """Return every line of every log; a verification that tells of something is an error like any other."""
        root = self._scratch / "record"
        if not root.exists():
            shutil.copytree(self._paths.audit, StatePaths(root).audit)
        paths = StatePaths(root)
        target = paths.audit / path.name
        kept = target.read_bytes()
        target.write_bytes(raw)
        try:
            if any(log.problems or log.torn for log in verify(paths)):
                raise NegatoError("told")
            return [entry.fields for process in paths.audit_processes() for entry in entries(paths, process)]
        finally:
            target.write_bytes(kept)


def kind_of(name: Path) -> str:
    """Return the kind of a file by its place; fails for one that no judge knows."""
    first, last = name.parts[0], name.name
    if first in ("objects", "inbox") and not last.endswith(".note.age"):
        return "object"
    kinds = {"netd": "tunnel", "notes": "note", "inbox": "note", "decisions": "decision", "audit": "audit"}
    single = {"FORMAT": "format", "system.db": "people", "index.lock": "empty"}
    if last.startswith("index.db"):
        return "index"
    if last == "SHA256SUMS":
        return "sums"
    if first == "keys":
        return "slot" if "slots" in name.parts else "recipient" if last.endswith(".pub") else "epoch"
    return kinds.get(first) or single[last]


def index_answers(index: Index) -> object:
    """Return what an index says to the questions of pages and DICOMweb."""
    found: dict[str, Any] = {"counts": index.counts(), "objects": sorted(index.objects())}
    total, rows = index.studies(limit=200)
    found["list"] = [total, [asdict(row) for row in rows]]
    found["words"] = [index.studies(text=text)[0] for text in ("dupont", "genou", "p1", "radiographie")]
    for row in rows:
        found[row.uid] = [
            [asdict(series) for series in index.series_of(row.uid)],
            [asdict(entry) for entry in index.entries(row.uid)],
            index.metadata(row.uid, base_url="http://box"),
        ]
    for level in get_args(Level):
        query = parse_query(level, [("includefield", "all"), ("limit", "1000")])
        found[str(level)] = json.loads(index.search(query, "http://box")[0])
    return found


def flipped(raw: bytes, bit: int) -> bytes:
    """Return ``raw`` with one bit turned, counted from the first byte's lowest."""
    harmed = bytearray(raw)
    harmed[bit // 8] ^= 1 << bit % 8
    return bytes(harmed)
