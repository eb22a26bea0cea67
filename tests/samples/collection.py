"""Every file of pydicom's and pydicom-data's test sets, re-stamped so that each is an object of its own.

The bytes are spliced, never decoded and encoded again: transfer syntax, pixel data, odd lengths and vendors'
habits stay what they were. Stamped are UIDs (always), names and ids (except where a file
exists to show a character set), dates and the few type 1 attributes that are missing.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.samples import splice
from tests.samples.part10 import Sample, split, wrap
from tests.samples.people import Person, nth, study_date, study_time
from tests.samples.uids import uid

EXPLICIT = "1.2.840.10008.1.2.1"
RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
CHARSET, DATE, TIME, MODALITY, NAME, ID = (
    0x00080005,
    0x00080020,
    0x00080030,
    0x00080060,
    0x00100010,
    0x00100020,
)
BIRTH, SEX = 0x00100030, 0x00100040

# What the header does not say: transfer syntax of bare data sets.
_SYNTAX = {
    "ExplVR_BigEndNoMeta.dcm": splice.EXPLICIT_BIG,
    "ExplVR_LitEndNoMeta.dcm": EXPLICIT,
    "OT-PAL-8-face.dcm": splice.IMPLICIT,
    "meta_missing_tsyntax.dcm": splice.IMPLICIT,
    "no_meta.dcm": EXPLICIT,
    "rtstruct.dcm": splice.IMPLICIT,
}
# The charsets' examples keep their names, but for one that is a known poet's.
_NAMES = {"chrArab.dcm": "الحسيني^ليلى".encode("iso-8859-6")}
# Broken otherwise than by a cut.
_BROKEN = {"SC_rgb_jpeg.dcm": "implicit VR where the transfer syntax says explicit"}
_OTHER_SUFFIXES = {".gz", ".icc", ".json", ".md", ".py", ".pyc", ".txt", ".dump"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that a storage SCP must refuse: ``name``, ``reason``, and its bytes as they are."""

    name: str
    reason: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    data: bytes
    meta: dict[int, bytes]
    offset: int
    transfer_syntax: str

    @property
    def dataset(self) -> bytes:
        """The data set, inflated where it was deflated."""
        body = self.data[self.offset :]
        return splice.inflate(body) if self.transfer_syntax in splice.DEFLATED else body

    def text(self, tag: int) -> str:
        """One top-level value as Latin-1 text, empty when absent."""
        found = splice.value(self.dataset, self.transfer_syntax, tag)
        return (found or b"").rstrip(b"\0 ").decode("latin-1")


def roots() -> dict[str, Path]:
    """Return the two test sets' folders by a short name; raise ``FileNotFoundError`` without them."""
    found = {}
    for short, package in (("pydicom", "pydicom"), ("data", "data_store")):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"the Python package with the folder {package} is not installed")
        found[short] = Path(spec.origin).parent / "data"
    return found


def files() -> Iterator[tuple[str, Path]]:
    """Yield ``(name, path)`` of every file that is no program, sorted by name."""
    for short, root in roots().items():
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name not in {"hashes.json", "urls.json"}:
                yield f"{short}/{path.relative_to(root).as_posix()}", path


def collection() -> Iterator[Sample]:
    """Yield every file that can be stored, re-stamped, in a fixed order."""
    for name, _ in files():
        verdict = judge(name)
        if isinstance(verdict, Sample):
            yield verdict


def refusals() -> list[Refusal]:
    """Return the files that a storage SCP must refuse, with the reason."""
    return [verdict for name, _ in files() if isinstance(verdict := judge(name), Refusal)]


def judge(name: str) -> Sample | Refusal:
    """Return one file of :func:`files` re-stamped, or why it must be refused."""
    path = _paths()[name]
    source = _read(path.name, path)
    if path.suffix in _OTHER_SUFFIXES or path.name == "README":
        return Refusal(name, "not DICOM", source.data)
    if path.name.startswith("DICOMDIR"):
        return Refusal(name, "a media directory (PS3.10), not a stored object", source.data)
    if path.name == "no_meta.dcm":
        return Refusal(name, "not DICOM: a stray byte before the data set", source.data)
    if path.parent.name == "palettes":
        return Refusal(name, "a colour palette belongs to no patient or study (non-patient object)", source.data)
    try:
        elements = splice.elements(source.dataset, source.transfer_syntax)
    except splice.Broken as error:
        reason = _BROKEN.get(path.name, "truncated")
        return Refusal(name, f"{reason}: {error}", source.data)
    return _stamp(name, source, {element.tag for element in elements})


def _stamp(name: str, source: _Source, present: set[int]) -> Sample:
    sop_class = source.text(SOP_CLASS) or source.meta.get(2, b"").rstrip(b"\0 ").decode() or RAW_DATA
    group = _study_key(source, name)
    person = nth(_groups()[group])
    instance = uid("collection", name)
    values: dict[int, tuple[bytes, bytes]] = {
        SOP_CLASS: (b"UI", sop_class.encode()),
        SOP_INSTANCE: (b"UI", instance.encode()),
        STUDY: (b"UI", uid("collection study", *group).encode()),
        SERIES: (b"UI", uid("collection series", *group, source.text(SERIES) or name, sop_class).encode()),
    }
    _stamp_patient(values, name, source, person)
    date = source.text(DATE)
    if not date or _dates()[date] > 1:
        values[DATE] = (b"DA", study_date(*group).encode())
    if not source.text(TIME):
        values[TIME] = (b"TM", study_time(*group).encode())
    if MODALITY not in present or not source.text(MODALITY):
        values[MODALITY] = (b"CS", b"OT")
    body = splice.replace(source.data[source.offset :], source.transfer_syntax, values)
    return wrap(name.replace("/", "-"), sop_class, instance, source.transfer_syntax, body)


def _stamp_patient(values: dict[int, tuple[bytes, bytes]], name: str, source: _Source, person: Person) -> None:
    values[ID] = (b"LO", person.patient_id.encode())
    short = name.rsplit("/", 1)[-1]
    if short in _NAMES:
        values[NAME] = (b"PN", _NAMES[short])
    elif "charset_files" in name and source.text(NAME):
        return
    else:
        declared = source.text(CHARSET).split("\\")[0]
        codec = {"ISO_IR 192": "utf-8", "ISO_IR 100": "latin-1"}.get(declared)
        header = source.dataset.partition(b"\xe0\x7f\x10\x00")[0]
        if codec is None and not declared and person.charset and header.isascii():
            values[CHARSET] = (b"CS", person.charset.encode())
            codec = "latin-1" if person.charset == "ISO_IR 100" else "utf-8"
        values[NAME] = (b"PN", _encoded(person.name, codec or "ascii"))
    values[BIRTH], values[SEX] = (b"DA", person.birth.encode()), (b"CS", person.sex.encode())


def _encoded(name: str, codec: str) -> bytes:
    """Return a name in a codec, without the groups and accents that it cannot express."""
    if codec == "utf-8":
        return name.encode()
    first = name.split("=")[0]
    try:
        return first.encode(codec)
    except UnicodeEncodeError:
        bare = "".join(letter for letter in unicodedata.normalize("NFD", first) if not unicodedata.combining(letter))
        return bare.encode("ascii")


def _study_key(source: _Source, name: str) -> tuple[str, ...]:
    study = source.text(STUDY)
    return (study, source.text(ID), source.text(NAME)) if study else (name,)


@cache
def _paths() -> dict[str, Path]:
    return dict(files())


@cache
def _groups() -> dict[tuple[str, ...], int]:
    """Return every study of the test sets with its place in the order of appearance."""
    found: dict[tuple[str, ...], int] = {}
    for _, group in _dated_groups():
        found.setdefault(group, len(found))
    return found


@cache
def _dates() -> Counter[str]:
    """Return for every StudyDate how many different studies of the test sets carry it."""
    return Counter(date for date, _ in set(_dated_groups()))


@cache
def _dated_groups() -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for name, path in files():
        source = _read(path.name, path)
        if path.suffix in _OTHER_SUFFIXES or not source.transfer_syntax:
            continue
        try:
            found.append((source.text(DATE), _study_key(source, name)))
        except splice.Broken:
            continue
    return tuple(found)


def _read(short: str, path: Path) -> _Source:
    data = path.read_bytes()
    meta, offset = split(data)
    declared = meta.get(0x10, b"").rstrip(b"\0 ").decode("ascii", "replace")
    return _Source(short, data, meta, offset, declared or _SYNTAX.get(short, ""))
