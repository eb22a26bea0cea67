"""Ten thousand notes and their decisions become the same index again, in under a minute."""

from __future__ import annotations

import random
from pathlib import Path

from appliance.archive.files import make_shelves
from appliance.clock import stamp
from appliance.dicom import decision as decisions
from appliance.dicom import note as notes
from appliance.dicom.decision import Decision
from appliance.dicom.note import Bulk, Note, Source
from appliance.index.store import Index
from appliance.ingest.index_file import remove_index
from appliance.paths import StatePaths
from appliance.sealing.writer import seal
from tests.ingest.house import EPOCH, KEY, START, answers, files, settle, settler

NOTES = 2_000
A_STUDY = 25
PATIENTS = 40


def note_of(number: int) -> Note:
    """Return the note of one CT slice; its object's name is made up, since nothing here opens it."""
    study, instance = divmod(number, A_STUDY)
    patient = study % PATIENTS
    root = f"1.2.826.0.1.3680043.10.777.{study}"
    uids = {"00080018": f"{root}.1.{instance}", "0020000D": root, "0020000E": f"{root}.1"}
    text = {
        "00080016": ("UI", "1.2.840.10008.5.1.4.1.1.2"),
        "00080020": ("DA", f"2026{study % 12 + 1:02d}{study % 28 + 1:02d}"),
        "00080030": ("TM", "101500"),
        "00080050": ("SH", f"A{study}"),
        "00080060": ("CS", "CT"),
        "00081030": ("LO", "Thorax standard"),
        "0008103E": ("LO", "Série 1"),
        "00100020": ("LO", f"P{patient}"),
        "00100030": ("DA", "19600229"),
        "00100040": ("CS", "M"),
        "00200010": ("SH", f"S{study}"),
        "00200011": ("IS", 1),
        "00200013": ("IS", instance + 1),
        "00280010": ("US", 512),
        "00280011": ("US", 512),
        **{tag: ("UI", value) for tag, value in uids.items()},
    }
    attributes = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in text.items()}
    attributes["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": f"DUPONT{patient}^Émile"}]}
    attributes["7FE00010"] = {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"}
    digest = f"{number:064x}"
    return Note(
        object=f"{random.Random(number).getrandbits(256):064x}",
        size=525_000,
        dataset_offset=350,
        dataset_sha256=digest,
        transfer_syntax="1.2.840.10008.1.2.1",
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_instance=uids["00080018"],
        study=root,
        series=uids["0020000E"],
        received=f"2026-11-24T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        source=Source("dimse", "SCANNER", "192.0.2.7"),
        attributes=dict(sorted(attributes.items())),
        bulk={"7FE00010": Bulk(1000, 524_288, "OW")},
    )


def shelf(paths: StatePaths, note: Note) -> None:
    """Put a note straight on its shelf beside an object of no content."""
    name = note.object
    (paths.notes / name[:2] / f"{name}.note.age").write_bytes(seal(notes.to_bytes(note), [EPOCH.notes]))
    (paths.objects / name[:2] / f"{name}.age").write_bytes(b"")


def decided(all_notes: list[Note]) -> list[Decision]:
    """Return merges, corrections, holds, releases, quarantines and tombstones that build on one another."""
    at, by = stamp(START), "0"
    identity = lambda n: {  # noqa: E731
        "00100020": {"vr": "LO", "Value": [f"P{n}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"DUPONT{n}^Émile"}]},
    }
    study = lambda n: all_notes[n * A_STUDY].study  # noqa: E731
    of = lambda n: tuple(note.object for note in all_notes[n * A_STUDY : (n + 1) * A_STUDY])  # noqa: E731
    change = {"00081030": {"vr": "LO", "Value": ["Genou gauche"]}}
    return [
        Decision("merge", at, by, patient={"00100020": "P1"}, attributes=identity(2)),
        Decision("merge", at, by, patient={"00100020": "P2"}, attributes=identity(3)),
        Decision("merge", at, by, uid=study(5), attributes=identity(1)),  # after P1 has ended: it stays P1
        Decision("correction", at, by, level="study", uid=study(6), attributes=change),
        Decision("correction", at, by, level="instance", uid=all_notes[7 * A_STUDY].sop_instance, attributes=change),
        Decision("correction", at, by, level="series", uid=all_notes[8 * A_STUDY].series, attributes=identity(4)),
        Decision("merge", at, by, patient={"00100020": "P4", "00100030": "19600229"}, attributes=identity(9)),
        Decision("hold", at, by, uid=study(10)),
        Decision("hold", at, by, uid=study(11)),
        Decision("release", at, by, uid=study(11)),
        Decision("quarantine", at, "settle", objects=of(12)[:5]),
        Decision("quarantine", at, "settle", objects=of(13)),
        Decision("release", at, by, objects=of(13)[5:]),
        Decision("tombstone", at, by, objects=of(14), uid=study(14)),
        Decision("tombstone", at, by, objects=of(15)[:3]),
        *(Decision("merge", at, by, patient={"00100020": f"X{n}"}, attributes=identity(1)) for n in range(50)),
    ]


def test_an_index_rebuilt_from_its_notes_answers_as_the_one_that_grew(
    tmp_path: Path,
) -> None:
    paths = StatePaths(tmp_path / "state")
    make_shelves(paths)
    archive = files(paths.root)
    everything = [note_of(number) for number in range(NOTES)]
    for note in everything[: NOTES // 2]:
        shelf(paths, note)
    index = Index.open(paths.index_db, KEY)
    settle(archive, index)
    # Decisions are followed one by one by an index with rows; the other half of the notes comes after them.
    growing = settler(archive, index)
    for decision in decided(everything):
        archive.decide(seal(decisions.to_bytes(decision), [EPOCH.notes]))
        growing.follow()
    for note in everything[NOTES // 2 :]:
        shelf(paths, note)
    settle(archive, index)
    grown, held = answers(index), growing.book.decided.held
    index.close()
    assert grown["counts"][2] == NOTES - 5 - 5 - A_STUDY - 3 and len(held) == 1

    remove_index(paths)
    index = Index.open(paths.index_db, KEY)
    rebuilt = settle(archive, index)
    again = answers(index)
    index.close()
    assert {name: again[name] == answer for name, answer in grown.items()} == dict.fromkeys(grown, True)
    assert again == grown and rebuilt.book.decided.held == held
