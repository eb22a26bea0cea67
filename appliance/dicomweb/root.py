"""The DICOMweb root ``/dicom-web``: search, retrieve and store behind one session."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends
from starlette.requests import Request

from appliance.dicomweb.qido import qido_router
from appliance.dicomweb.stow import Admit, stow_router
from appliance.dicomweb.wado import wado_router
from appliance.index.store import Index
from appliance.retrieve.pictures import Pictures
from appliance.retrieve.reading import Authenticate

PREFIX = "/dicom-web"


class _Search:
    """What the search resources need."""

    def __init__(self, index: Callable[[], Index]) -> None:
        self.index = index
        self.base_url = base_url


def base_url(request: Request) -> str:
    """Return the absolute URL of the root under the name it was asked for."""
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


def dicomweb_router(
    authenticate: Authenticate, index: Callable[[], Index], pictures: Pictures, admit: Admit
) -> APIRouter:
    """Return every resource below ``/dicom-web``."""
    router = APIRouter(prefix=PREFIX, tags=["dicomweb"], dependencies=[Depends(authenticate)])
    router.include_router(qido_router(_Search(index)))
    router.include_router(wado_router(authenticate, index, pictures, base_url))
    router.include_router(stow_router(authenticate, admit, base_url))
    return router
