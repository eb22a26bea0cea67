"""STOW-RS: objects uploaded over HTTP, streamed straight into the sealed inbox (PS3.18 10.5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from appliance import clock
from appliance.dicom.note import Source
from appliance.dicomweb import multipart
from appliance.dicomweb.mediatype import parse
from appliance.errors import BadInput, NegatoError, NotSupported, StorageFull
from appliance.ingest.receive import Admission, OtherStudy, Receipt
from appliance.retrieve.reading import Authenticate, Reader

ANSWER = "application/dicom+json"
# Failure reasons (PS3.18 Table I.2-2).
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
PROCESSING_FAILURE = 0x0110
MOST_FAILURES = 1000
LISTED_SECONDS = 5.0

Admit = Callable[[Source], Admission]
Listed = Callable[[Sequence[str], float], bool]


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that was not stored, why (Failure Reason), and which SOP class and instance it is if that is known."""

    reason: int
    sop_class: str = ""
    sop_instance: str = ""


class Upload:
    """The parts of one request, each an :class:`Admission`; one bad part does not undo the others."""

    def __init__(self, admit: Admit, source: Source, study: str | None) -> None:
        self._admit = admit
        self._source = source
        self._study = study
        self._current: Admission | None = None
        self._failure: Failure | None = None
        self.stored: list[Receipt] = []
        self.failed: list[Failure] = []

    def take(self, event: multipart.Event) -> None:
        """Handle one event of the multipart parser; blocks while the disk is written."""
        if isinstance(event, multipart.PartBegun):
            self._begin(event)
        elif isinstance(event, multipart.PartData):
            self._try(self._write, event.data)
        elif isinstance(event, multipart.PartEnded):
            self._try(self._finish)
            self._end()

    def abandon(self) -> None:
        """Forget the part that is under way."""
        if self._current is not None:
            self._current.abandon()
            self._current = None

    def _begin(self, event: multipart.PartBegun) -> None:
        self._failure = None
        self._try(self._open, event.headers.get("content-type", "application/dicom"))

    def _open(self, kind: str) -> None:
        if parse(kind).name != "application/dicom":
            raise BadInput("The part is no DICOM object.")
        self._current = self._admit(self._source)

    def _write(self, data: memoryview) -> None:
        if self._current is not None:
            self._current.write(data)

    def _finish(self) -> None:
        if self._current is not None:
            self.stored.append(self._current.finish(clock.now(), study=self._study))

    def _end(self) -> None:
        self.abandon()
        if self._failure is not None:
            self.failed.append(self._failure)
            if len(self.failed) > MOST_FAILURES:
                raise BadInput("Too many parts of the upload failed.", "Look at what the sender uploads.")

    def _try(self, step: Callable[..., None], *arguments: Any) -> None:
        if self._failure is not None:
            return
        try:
            step(*arguments)
        except OtherStudy:
            self._fail(DOES_NOT_MATCH)
        except StorageFull:
            self._fail(OUT_OF_RESOURCES)
        except BadInput:
            self._fail(CANNOT_UNDERSTAND)
        except NegatoError:
            self._fail(PROCESSING_FAILURE)

    def _fail(self, reason: int) -> None:
        self._failure = Failure(reason, *(self._current.announced() if self._current is not None else ()))
        self.abandon()


def stow_router(
    authenticate: Authenticate, admit: Admit, listed: Listed, base_url: Callable[[Request], str]
) -> APIRouter:
    """Return the two Store resources (PS3.18 Table 10.5.1-1).

    ``listed`` waits until SOP instances can be read: the answer names them by their URLs.
    """
    router = APIRouter()

    @router.post("/studies", name="store", response_class=Response)
    async def store(request: Request, reader: Reader = Depends(authenticate)) -> Response:
        """Store every application/dicom part of a multipart/related body."""
        return _answer(base_url(request), await _store(request, reader, admit, listed, None))

    @router.post("/studies/{study}", name="store_in_study", response_class=Response)
    async def store_in_study(study: str, request: Request, reader: Reader = Depends(authenticate)) -> Response:
        """Store parts that all belong to one study."""
        return _answer(base_url(request), await _store(request, reader, admit, listed, study))

    return router


async def _store(request: Request, reader: Reader, admit: Admit, listed: Listed, study: str | None) -> Upload:
    boundary, kind = multipart.boundary_of(request.headers.get("content-type", ""))
    if kind not in ("", "application/dicom"):
        raise NotSupported("Only application/dicom parts can be stored.", "Send type=application/dicom.")
    parser = multipart.Parser(boundary)
    address = request.client.host if request.client else ""
    upload = Upload(admit, Source("stow", reader.person, address), study)

    def feed(chunk: bytes) -> None:
        for event in parser.feed(chunk):
            upload.take(event)

    try:
        async for chunk in request.stream():
            if chunk:
                await asyncio.to_thread(feed, chunk)
        parser.finish()
    except BadInput:
        # What came whole before the body broke is stored; say so instead of failing it all.
        if not upload.stored:
            raise
        upload.failed.append(Failure(CANNOT_UNDERSTAND))
    finally:
        await asyncio.to_thread(upload.abandon)
    if upload.stored:
        await asyncio.to_thread(listed, [receipt.sop_instance for receipt in upload.stored], LISTED_SECONDS)
    return upload


def _answer(base: str, upload: Upload) -> Response:
    """Render the Store Instances Response Module (PS3.18 Table 10.5.3-1, Annex I)."""
    if not upload.stored and not upload.failed:
        raise BadInput("The upload has no part.", "Send at least one application/dicom part.")
    body: dict[str, Any] = {}
    if upload.stored:
        studies = {receipt.study for receipt in upload.stored}
        if len(studies) == 1:
            body["00081190"] = {"vr": "UR", "Value": [f"{base}/studies/{studies.pop()}"]}
        body["00081199"] = {"vr": "SQ", "Value": [_stored(base, receipt) for receipt in upload.stored]}
    # Failed SOP Sequence; Other Failures Sequence for parts of which it is not known what they were meant to be.
    for tag, named in (("00081198", True), ("0008119A", False)):
        if failures := [_failed(failure) for failure in upload.failed if bool(failure.sop_instance) is named]:
            body[tag] = {"vr": "SQ", "Value": failures}
    status = 200 if not upload.failed else 202 if upload.stored else 409
    if not upload.stored and {failure.reason for failure in upload.failed} == {OUT_OF_RESOURCES}:
        status = 507
    return Response(json.dumps(body), status, media_type=ANSWER)


def _stored(base: str, receipt: Receipt) -> dict[str, Any]:
    url = f"{base}/studies/{receipt.study}/series/{receipt.series}/instances/{receipt.sop_instance}"
    return {
        "00081150": {"vr": "UI", "Value": [receipt.sop_class]},
        "00081155": {"vr": "UI", "Value": [receipt.sop_instance]},
        "00081190": {"vr": "UR", "Value": [url]},
    }


def _failed(failure: Failure) -> dict[str, Any]:
    reason: dict[str, Any] = {"00081197": {"vr": "US", "Value": [failure.reason]}}
    if not failure.sop_instance:
        return reason
    return {
        "00081150": {"vr": "UI", "Value": [failure.sop_class]},
        "00081155": {"vr": "UI", "Value": [failure.sop_instance]},
        **reason,
    }
