"""WADO-RS: whole objects, frames, metadata and bulk values, from the sealed archive (PS3.18 10.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse

from appliance.dicomweb import multipart
from appliance.dicomweb.accept import AS_STORED, EXPLICIT_LITTLE, MEDIA_TYPES, Choice, Resource, negotiate
from appliance.dicomweb.ranges import Unsatisfiable, byte_range
from appliance.errors import BadInput, NotAcceptable, NotFound
from appliance.index.rows import Entry
from appliance.index.store import Index
from appliance.retrieve.frames import Value
from appliance.retrieve.pictures import Pictures
from appliance.retrieve.reading import Authenticate, Reader

JSON = "application/dicom+json"
MOST_FRAMES = 10_000
PATHS = (
    ("study", "/studies/{study}"),
    ("series", "/studies/{study}/series/{series}"),
    ("instance", "/studies/{study}/series/{series}/instances/{instance}"),
)

BaseUrl = Callable[[Request], str]


def wado_router(
    authenticate: Authenticate, index: Callable[[], Index], pictures: Pictures, base_url: BaseUrl
) -> APIRouter:
    """Return the Retrieve resources of PS3.18 Table 10.4.1-1 that this archive has."""
    router = APIRouter()
    for level, path in PATHS:
        _add_objects(router, level, path, authenticate, index, pictures)
        _add_metadata(router, level, path, index, base_url)

    instance = PATHS[2][1]

    @router.get(f"{instance}/frames/{{frames}}", name="retrieve_frames", response_class=Response)
    async def frames(frames: str, request: Request, reader: Reader = Depends(authenticate)) -> Response:
        """Return frames, decoded or as they are stored; one frame also as a single part with byte ranges."""
        entry = _one(index(), request)
        numbers = _numbers(frames)
        choice = _choose(Resource.FRAMES, request, [entry], single=len(numbers) == 1)
        as_stored = choice.media_type != "application/octet-stream" or choice.transfer_syntax == AS_STORED
        found = await asyncio.to_thread(pictures.frames, reader, index(), entry, numbers, as_stored)
        syntax = entry.transfer_syntax if as_stored else EXPLICIT_LITTLE
        if choice.multipart:
            return _multipart(choice, ((_part_type(choice, syntax), iter([frame.all()])) for frame in found), [])
        return await asyncio.to_thread(_single, request, next(found), _part_type(choice, syntax))

    @router.get(f"{instance}/bulkdata/{{path:path}}", name="retrieve_bulkdata", response_class=Response)
    async def bulkdata(path: str, request: Request, reader: Reader = Depends(authenticate)) -> Response:
        """Return one bulk value that the metadata names."""
        entry = _one(index(), request)
        choice = _choose(Resource.BULKDATA, request, [entry], single=True)
        value = await asyncio.to_thread(pictures.bulk, reader, index(), entry, path)
        if choice.multipart:
            return _multipart(choice, [(_part_type(choice, choice.transfer_syntax), iter([value.all()]))], [value])
        return await asyncio.to_thread(_single, request, value, choice.media_type)

    return router


def _add_objects(
    router: APIRouter,
    level: str,
    path: str,
    authenticate: Authenticate,
    index: Callable[[], Index],
    pictures: Pictures,
) -> None:
    @router.get(path, name=f"retrieve_{level}", response_class=Response)
    async def objects(request: Request, reader: Reader = Depends(authenticate)) -> Response:
        """Return objects as application/dicom parts, as they were received or in Explicit VR Little Endian."""
        entries = _below(index(), request)
        single = level == "instance"
        choice = _choose(Resource.INSTANCES, request, entries, single=single)
        as_stored = choice.transfer_syntax != EXPLICIT_LITTLE
        opened = await asyncio.to_thread(pictures.objects, reader, index(), entries, as_stored)
        types = (_object_type(entry if as_stored else None) for entry in entries)
        if choice.multipart:
            return _multipart(choice, zip(types, opened, strict=True), [])
        return StreamingResponse(next(opened), media_type=next(types))


def _add_metadata(router: APIRouter, level: str, path: str, index: Callable[[], Index], base_url: BaseUrl) -> None:
    @router.get(f"{path}/metadata", name=f"retrieve_{level}_metadata", response_class=Response)
    async def metadata(request: Request) -> Response:
        """Return the data sets without bulk values, in the DICOM JSON model."""
        choice = negotiate(Resource.METADATA, request.headers.getlist("accept"), request.query_params.get("accept"))
        if choice is None:
            raise NotAcceptable("Metadata comes as application/dicom+json only.", f"Ask for {JSON}.")
        below = request.path_params
        body = await asyncio.to_thread(
            index().metadata, below["study"], below.get("series"), below.get("instance"), base_url=base_url(request)
        )
        if body is None:
            raise _nothing()
        return Response(body, media_type=choice.media_type)


def _below(index: Index, request: Request) -> list[Entry]:
    below = request.path_params
    entries = index.entries(below["study"], below.get("series"), below.get("instance"))
    if not entries:
        raise _nothing()
    return entries


def _one(index: Index, request: Request) -> Entry:
    return _below(index, request)[0]


def _nothing() -> NotFound:
    return NotFound("The archive has nothing under these UIDs.", "Search for it first.")


def _choose(resource: Resource, request: Request, entries: Sequence[Entry], *, single: bool) -> Choice:
    choice = negotiate(
        resource,
        request.headers.getlist("accept"),
        request.query_params.get("accept"),
        single=single,
        stored={entry.transfer_syntax for entry in entries},
    )
    if choice is None:
        raise NotAcceptable("None of the accepted media types can be given.", "Accept transfer-syntax=*.")
    return choice


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > MOST_FRAMES or not all(part.isdecimal() and len(part) < 10 and int(part) > 0 for part in parts):
        raise BadInput("Frames are numbered from 1.", "Write for example /frames/1 or /frames/1,2,3.")
    return [int(part) for part in parts]


def _object_type(entry: Entry | None) -> str:
    return f"application/dicom; transfer-syntax={entry.transfer_syntax if entry else EXPLICIT_LITTLE}"


def _part_type(choice: Choice, syntax: str) -> str:
    kind = choice.media_type if choice.media_type != "application/octet-stream" else MEDIA_TYPES.get(syntax)
    if kind is None or kind == "application/octet-stream":
        return "application/octet-stream"
    return f"{kind}; transfer-syntax={syntax}" if syntax not in ("", AS_STORED) else kind


def _multipart(
    choice: Choice,
    parts: Iterator[tuple[str, Iterator[bytes]]] | list[tuple[str, Iterator[bytes]]],
    held: Sequence[Value],
) -> Response:
    boundary = multipart.new_boundary()

    def body() -> Iterator[bytes]:
        try:
            yield from multipart.write((({"Content-Type": kind}, pieces) for kind, pieces in parts), boundary)
        finally:
            _close(held)

    return StreamingResponse(body(), media_type=multipart.content_type(choice.media_type, boundary))


def _close(values: Sequence[Value]) -> None:
    for value in values:
        if value.contents is not None:
            value.contents.close()


def _single(request: Request, value: Value, media_type: str) -> Response:
    try:
        headers = {"Accept-Ranges": "bytes"}
        try:
            part = byte_range(request.headers.get("range"), value.size)
        except Unsatisfiable:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{value.size}"})
        if part is None:
            return Response(value.all(), media_type=media_type, headers=headers)
        offset, length = part
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{value.size}"
        return Response(value.read_at(offset, length), 206, headers, media_type)
    finally:
        _close([value])
