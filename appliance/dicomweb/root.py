"""The DICOMweb root ``/dicom-web``: search, retrieve and store behind one session."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends
from starlette.requests import Request

from appliance.dicomweb.qido import qido_router
from appliance.dicomweb.stow import Admit, Listed, stow_router
from appliance.dicomweb.wado import wado_router
from appliance.index.store import Index
from appliance.retrieve.pictures import Pictures
from appliance.retrieve.reading import Authenticate

PREFIX = "/dicom-web"
USUAL_PORTS = {"http": 80, "https": 443}


class _Search:
    """What the search resources need."""

    def __init__(self, index: Callable[[], Index]) -> None:
        self.index = index
        self.base_url = base_url


def base_url(request: Request) -> str:
    """Return the absolute URL of the root under the name it was asked for.

    Some clients leave the port out of ``Host``; what is read from the answer must lead back here all the same.
    """
    base = request.base_url
    server = request.scope.get("server")
    if base.port is None and server and server[1] not in (None, USUAL_PORTS.get(base.scheme)):
        base = base.replace(port=server[1])
    return f"{str(base).rstrip('/')}{PREFIX}"


def dicomweb_router(
    authenticate: Authenticate, index: Callable[[], Index], pictures: Pictures, admit: Admit, listed: Listed
) -> APIRouter:
    """Return every resource below ``/dicom-web``."""
    router = APIRouter(prefix=PREFIX, tags=["dicomweb"], dependencies=[Depends(authenticate)])
    router.include_router(qido_router(_Search(index)))
    router.include_router(wado_router(authenticate, index, pictures, base_url))
    router.include_router(stow_router(authenticate, admit, listed, base_url))
    return router
