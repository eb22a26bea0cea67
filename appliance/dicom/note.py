"""The note: what is known of one received object without opening it.

A note is sealed beside its object. It carries every attribute except bulk values, where the bulk values lie in the
object, who sent it and when, and the digests that bind it to the object. The index is rebuilt from notes alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appliance.errors import Damaged

VERSION = 1


@dataclass(frozen=True, slots=True)
class Bulk:
    """Where one bulk value lies in the object's plaintext (byte offsets from the start of the file).

    ``fragments`` is ``None`` for a native value; for encapsulated pixel data it lists every item after the basic
    offset table as ``(offset, length)`` of its value, and ``offset_table`` holds that table's entries in bytes.
    """

    offset: int
    length: int
    vr: str
    fragments: tuple[tuple[int, int], ...] | None = None
    offset_table: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Who handed the object in: by which way (``dimse``, ``stow``), AE title or person, address."""

    way: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Note:
    """One received object.

    ``object`` is the SHA-256 of the object's ciphertext in hex, its name on disk; ``size`` the length of the plaintext
    Part 10 file in bytes; ``dataset_offset`` where the data set begins in it; ``dataset_sha256`` the digest in hex of
    the data set's bytes as transferred. ``attributes`` is a data set in the DICOM JSON model (PS3.18 F.2) whose bulk
    values are ``{"vr": ..., "BulkDataURI": "bulkdata/<path>"}`` with ``<path>`` a key of ``bulk``: the tag in eight
    upper-case hex digits, inside sequences ``<tag>.<item from 0>.<tag>``. ``received`` is RFC 3339 in UTC.
    """

    object: str
    size: int
    dataset_offset: int
    dataset_sha256: str
    transfer_syntax: str
    sop_class: str
    sop_instance: str
    study: str
    series: str
    received: str
    source: Source
    attributes: Mapping[str, Any]
    bulk: Mapping[str, Bulk]


def to_bytes(note: Note) -> bytes:
    """Return the note as UTF-8 JSON, the plaintext that gets sealed."""
    body: dict[str, Any] = {"version": VERSION}
    body.update({name: getattr(note, name) for name in Note.__slots__ if name not in {"source", "bulk", "attributes"}})
    body["source"] = asdict(note.source)
    body["bulk"] = {path: _bulk_to_json(bulk) for path, bulk in note.bulk.items()}
    body["attributes"] = note.attributes
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def from_bytes(raw: bytes) -> Note:
    """Parse what :func:`to_bytes` wrote; raise :class:`Damaged` for anything else."""
    try:
        body = json.loads(raw.decode("utf-8", "surrogatepass"))
        if body.pop("version") != VERSION:
            raise Damaged("A note has an unknown version.", "Update the appliance.")
        body["source"] = Source(**body["source"])
        body["bulk"] = {path: _bulk_from_json(entry) for path, entry in body["bulk"].items()}
        return Note(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("A note cannot be read.", "Run: appliance check") from error


def _bulk_to_json(bulk: Bulk) -> list[Any]:
    fragments = None if bulk.fragments is None else [list(fragment) for fragment in bulk.fragments]
    return [bulk.offset, bulk.length, bulk.vr, fragments, list(bulk.offset_table)]


def _bulk_from_json(entry: Sequence[Any]) -> Bulk:
    offset, length, vr, fragments, table = entry
    pairs = None if fragments is None else tuple((start, size) for start, size in fragments)
    return Bulk(int(offset), int(length), str(vr), pairs, tuple(table))
