"""An archive with its keys at hand: everything real but the sockets to the key agent."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.archive.backend import Backend
from appliance.archive.files import FileBackend, make_shelves
from appliance.dicom.matching import Level, parse_query
from appliance.dicom.note import Source
from appliance.index.store import Index
from appliance.ingest.receive import Admission
from appliance.ingest.settle import Settler
from appliance.keyring.public import Epoch
from appliance.paths import StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from tests.samples.part10 import Sample

KEY = bytes(range(32))
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BASE = "https://box.example/dicom-web"
NOTES, IMAGES = Identity.generate(), Identity.generate()
EPOCH = Epoch(1, NOTES.recipient(), IMAGES.recipient())


class Keys:
    """Unwraps like the key agent's client, with the identities in this process."""

    def unwrap(self, _token: str, _purpose: str, _study: str, headers: Sequence[bytes]) -> list[bytes]:
        return [unwrap([NOTES, IMAGES], read_header(io.BytesIO(raw))) for raw in headers]

    def decide(self, _token: str, _kind: str, _study: str, _digest: str) -> None:
        """Every decision may be taken."""


def files(root: Path) -> FileBackend:
    """Return the backend of the state directory ``root``, made if it is not there."""
    paths = StatePaths(root)
    if not paths.root.exists():
        make_shelves(paths)
    return FileBackend(paths, "test")


def receive(archive: Backend, sample: Sample, minute: int = 0, epoch: Epoch = EPOCH) -> str:
    """Take an image in as the receiver does; return its object's id."""
    admission = Admission(archive, epoch, Source("dimse", "TEST", "192.0.2.1"), 1 << 30)
    try:
        admission.write(sample.data)
        return admission.finish(START + timedelta(minutes=minute)).object
    finally:
        admission.abandon()


def settler(archive: Backend, index: Index) -> Settler:
    """Return a settler with every key."""
    return Settler(archive, Keys(), "", index, EPOCH)  # type: ignore[arg-type]  # the same one method


def settle(archive: Backend, index: Index) -> Settler:
    """Catch up and settle all that waits, as the desk does after an unlock."""
    made = settler(archive, index)
    made.catch_up()
    for _ in made.run(START):
        pass
    return made


def answers(index: Index) -> dict[str, Any]:
    """Return what the index answers to every kind of query."""
    found: dict[str, Any] = {"counts": index.counts(), "objects": index.objects()}
    levels: tuple[Level, ...] = ("studies", "series", "instances")
    for level in levels:
        for params in ((), (("includefield", "all"),), (("PatientID", "P1"),), (("PatientName", "*"),)):
            raw, more = index.search(parse_query(level, [("limit", "100000"), *params]), BASE)
            found[f"{level} {params}"] = (raw, more)
    total, rows = index.studies(limit=100_000)
    found["list"] = (total, rows)
    found["words"] = [index.studies(text, limit=100_000) for text in ("dupont", "martin", "p2", "radio")]
    for row in rows:
        found[f"metadata {row.uid}"] = json.loads(index.metadata(row.uid, base_url=BASE) or b"[]")
        found[f"series {row.uid}"] = index.series_of(row.uid)
        found[f"entries {row.uid}"] = [(entry.key, entry.object, entry.frames) for entry in index.entries(row.uid)]
    return found
