"""The files that are measured with, written once to a folder."""

from __future__ import annotations

from pathlib import Path

from tests.samples import splice
from tests.samples.ct import slices
from tests.samples.part10 import Sample, wrap
from tests.samples.people import nth, study_date
from tests.samples.radiograph import radiographs
from tests.samples.uids import uid

PER_STUDY, PER_SERIES = 20, 10


def ct_files(folder: Path, count: int = 200) -> list[Path]:
    """Write ``count`` CT slices of one series, 0.5 MB each."""
    return _write(folder / "ct", slices(count))


def radiograph_files(folder: Path, count: int = 20) -> list[Path]:
    """Write ``count`` radiographs, a study each, 15 MB each."""
    return _write(folder / "dx", radiographs(count))


def small_files(folder: Path, first: int, count: int) -> list[Path]:
    """Write ``count`` small CT objects from number ``first``: 20 a study, 10 a series, the header of a real one."""
    template = next(slices(1))
    rows = 32
    base = splice.replace(
        template.dataset,
        template.transfer_syntax,
        {
            0x00280010: (b"US", rows.to_bytes(2, "little")),
            0x00280011: (b"US", rows.to_bytes(2, "little")),
            0x7FE00010: (b"OW", bytes(rows * rows * 2)),
        },
    )
    return _write(folder / "small", (_small(template, base, number) for number in range(first, first + count)))


def _small(template: Sample, base: bytes, number: int) -> Sample:
    study, series, place = number // PER_STUDY, number // PER_SERIES, number % PER_SERIES
    person = nth(study + 40)
    instance = uid("bench small", number)
    values = {
        0x00080018: (b"UI", instance.encode()),
        0x00080020: (b"DA", study_date("bench", study).encode()),
        0x00080050: (b"SH", f"B{study:06d}".encode()),
        0x00100010: (b"PN", person.name.encode("latin-1")),
        0x00100020: (b"LO", f"B-{study:06d}".encode()),
        0x0020000D: (b"UI", uid("bench small study", study).encode()),
        0x0020000E: (b"UI", uid("bench small series", series).encode()),
        0x00200011: (b"IS", str(1 + series % 2).encode()),
        0x00200013: (b"IS", str(place + 1).encode()),
    }
    body = splice.replace(base, template.transfer_syntax, values)
    return wrap(f"small-{number:06d}.dcm", template.sop_class, instance, template.transfer_syntax, body)


def _write(folder: Path, samples: object) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sample in samples:  # type: ignore[attr-defined]
        target = folder / sample.name
        if not target.exists():
            target.write_bytes(sample.data)
        written.append(target)
    return written
