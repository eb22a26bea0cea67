"""The search resources over one index, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from appliance.dicomweb.qido import qido_router
from appliance.errors import BadInput, Locked
from appliance.index.store import Index


class Service:
    """What the composition hands to the router."""

    def __init__(self, index: Index) -> None:
        self.opened: Index | None = index

    def index(self) -> Index:
        if self.opened is None:
            raise Locked("The archive is locked.", "Log in.")
        return self.opened

    def base_url(self, request: Request) -> str:
        return str(request.base_url).rstrip("/") + "/dicom-web"


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serve on loopback and yield the DICOMweb root."""
    app = FastAPI()
    app.include_router(qido_router(service), prefix="/dicom-web")
    app.add_exception_handler(BadInput, lambda request, error: JSONResponse({"error": "bad_input"}, 400))
    app.add_exception_handler(Locked, lambda request, error: JSONResponse({"error": "locked"}, 423))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/dicom-web"
    server.should_exit = True
    thread.join(10)
    listener.close()


def get(root: str, path: str, **params: Any) -> list[dict[str, Any]]:
    """Ask and return the parsed answer, which must be a proper one."""
    answer = httpx.get(root + path, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = answer.json()
    for entry in found:
        assert list(entry) == sorted(entry)
    return found


def uids(found: list[dict[str, Any]], tag: str) -> list[str]:
    """Return the first value of an attribute in every result."""
    return [entry[tag]["Value"][0] for entry in found]
