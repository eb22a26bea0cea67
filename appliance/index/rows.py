"""What the index hands out, as values."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from appliance.dicom.note import Bulk
from appliance.index import jsontext


@dataclass(frozen=True, slots=True)
class Known:
    """The object that holds a SOP instance: transfer syntax, and digest in hex of its data set, as transferred."""

    object: str
    transfer_syntax: str
    dataset_sha256: str


@dataclass(frozen=True, slots=True)
class Lost:
    """An object that vanished from the disk: its StudyInstanceUID and, where they are known, its SOPInstanceUID and
    the digest in hex of its data set."""

    object: str
    study: str
    sop_instance: str
    dataset_sha256: str


@dataclass(frozen=True, slots=True)
class Applied:
    """Which decisions the rows follow: the first ``count`` ones, whose digest this is (see ``DecisionBook``)."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study for our own page; dates are YYYYMMDD or empty, ``received`` is RFC 3339, the latest."""

    key: str
    uid: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    description: str
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    received: str


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series for our own page; ``study`` and ``uid`` are UIDs."""

    key: str
    study: str
    uid: str
    modality: str
    number: int | None
    description: str
    instance_count: int


@dataclass(frozen=True)
class Entry:
    """One instance: what is needed to open its object; attributes and bulk table are unpacked when asked for.

    ``frames`` is 0 when the instance has no pictures.
    """

    key: str
    object: str
    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    frames: int
    size: int
    dataset_offset: int
    packed_attributes: bytes
    packed_bulk: bytes

    @property
    def attributes_json(self) -> bytes:
        """The data set as DICOM JSON text in UTF-8, BulkDataURIs relative (``bulkdata/<path>``)."""
        return zlib.decompress(self.packed_attributes)

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The data set in the DICOM JSON model, BulkDataURIs relative (``bulkdata/<path>``)."""
        found: Mapping[str, Any] = json.loads(self.attributes_json)
        return found

    @cached_property
    def bulk(self) -> Mapping[str, Bulk]:
        """Where the bulk values lie in the object's plaintext."""
        return {path: _bulk(values) for path, values in jsontext.unpack(self.packed_bulk).items()}


def pack_bulk(bulk: Mapping[str, Bulk]) -> bytes:
    """Return the bulk table as it is stored."""
    return jsontext.pack({path: [b.offset, b.length, b.vr, b.fragments, b.offset_table] for path, b in bulk.items()})


def _bulk(values: list[Any]) -> Bulk:
    offset, length, vr, fragments, table = values
    pairs = None if fragments is None else tuple((start, size) for start, size in fragments)
    return Bulk(offset, length, vr, pairs, tuple(table))
