"""The list of studies, and what is in one: opaque keys, searched by POST, so that no URL names a patient."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from appliance.api.gate import Gate
from appliance.errors import NotFound
from appliance.index.rows import StudyRow
from appliance.index.store import Index

KEY = r"^[0-9a-f]{32}$"


class Search(BaseModel):
    """What to look for: words over name, ids and description; dates as YYYYMMDD, both included.

    ``order`` is by the date of the study or of the last image that was received, the newest first.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    text: str = Field("", max_length=200)
    modality: str = Field("", max_length=16)
    date_from: str = Field("", pattern=r"^(\d{8})?$")
    date_to: str = Field("", pattern=r"^(\d{8})?$")
    order: Literal["study", "received"] = "study"
    offset: int = Field(0, ge=0, le=10_000_000)
    limit: int = Field(50, ge=1, le=200)


class Study(BaseModel):
    """One study in the list. Dates are YYYYMMDD, times as DICOM has them, ``received`` RFC 3339."""

    key: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    description: str
    modalities: list[str]
    series_count: int
    instance_count: int
    received: str


class Missing(BaseModel):
    """What was received and is gone from the disk though nobody deleted it: an alarm until it is back."""

    images: int
    decisions: bool


class Found(BaseModel):
    """One page of a search: how many studies fit in all, and these; what the box misses, and how many images it keeps
    out of sight because another one has their SOPInstanceUID."""

    total: int
    studies: list[Study]
    missing: Missing
    quarantined: int


class Series(BaseModel):
    """One series of a study."""

    key: str
    modality: str
    number: int | None
    description: str
    instance_count: int


class StudyContent(BaseModel):
    """A study with its series."""

    study: Study
    series: list[Series]


class Element(TypedDict, total=False):
    """One element of a DICOM JSON object (PS3.18 F.2.2)."""

    vr: str
    Value: list[Any]
    InlineBinary: str
    BulkDataURI: str


class Instance(BaseModel):
    """One instance of a series: its attributes without bulk values, as one DICOM JSON object (PS3.18 F.2)."""

    key: str
    frames: int
    attributes: dict[str, Element]


class SeriesContent(BaseModel):
    """The instances of a series in viewing order."""

    key: str
    instances: list[Instance]


def studies_router(gate: Gate, index: Callable[[], Index], quarantined: Callable[[], int]) -> APIRouter:
    """Return the routes of the list; ``index`` raises :class:`Locked` while there is none.

    ``quarantined`` counts the images that are kept out of sight.
    """
    router = APIRouter(prefix="/api", tags=["studies"], dependencies=[Depends(gate.reader)])

    @router.post("/studies/search")
    def search(wanted: Search) -> Found:
        """Return one page of the studies that fit, the newest first."""
        total, rows = index().studies(**wanted.model_dump())
        missing = Missing(images=len(index().lost()), decisions=index().missed() is not None)
        return Found(total=total, studies=[_study(row) for row in rows], missing=missing, quarantined=quarantined())

    @router.get("/studies/{key}")
    def study(key: str) -> StudyContent:
        """Return one study with its series."""
        found = index().study_by_key(key)
        if found is None:
            raise NotFound("There is no such study.", "It may have been merged or removed; look in the list.")
        series = [
            Series(
                key=row.key,
                modality=row.modality,
                number=row.number,
                description=row.description,
                instance_count=row.instance_count,
            )
            for row in index().series_of(found.uid)
        ]
        return StudyContent(study=_study(found), series=series)

    @router.get("/series/{key}", response_class=Response, responses={200: {"model": SeriesContent}})
    def series(key: str) -> Response:
        """Return the instances of a series in viewing order: key, number of frames, attributes as DICOM JSON."""
        found = index().series_by_key(key)
        if found is None:
            raise NotFound("There is no such series.", "Look in the list of studies.")
        head = json.dumps({"key": key})[:-1].encode()
        instances = b",".join(
            b'{"key":"%s","frames":%d,"attributes":%s}' % (entry.key.encode(), entry.frames, entry.attributes_json)
            for entry in index().entries(found.study, found.uid)
        )
        return Response(head + b',"instances":[' + instances + b"]}", media_type="application/json")

    return router


def _study(row: StudyRow) -> Study:
    return Study(
        key=row.key,
        patient_name=row.patient_name,
        patient_id=row.patient_id,
        birth_date=row.birth_date,
        sex=row.sex,
        study_date=row.study_date,
        study_time=row.study_time,
        description=row.description,
        modalities=list(row.modalities),
        series_count=row.series_count,
        instance_count=row.instance_count,
        received=row.received,
    )
