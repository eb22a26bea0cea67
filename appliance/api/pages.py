"""The built pages: files of one directory, looked up by name, nothing else."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

FALLBACK = Path(__file__).resolve().parents[2] / "web" / "dist"
DATA = ("/api/", "/dicom-web", "/healthz")
INSTALLED = Path("/usr/share/negatoscope/web")


def page_directory(configured: Path | None) -> Path | None:
    """Return where the built pages are: the setting, the source tree, the installed place; ``None`` for nowhere."""
    for place in (configured, FALLBACK, INSTALLED):
        if place is not None and (place / "index.html").is_file():
            return place
    return None


def page_route(directory: Path | None) -> Route:
    """Return the route that serves every file of ``directory``, and its index for any other address.

    The files are listed once: a request picks from that list and never becomes a path.
    """
    files = (
        {}
        if directory is None
        else {f"/{path.relative_to(directory).as_posix()}": path for path in directory.rglob("*") if path.is_file()}
    )

    async def page(request: Request) -> Response:
        path = request.url.path
        if path.startswith(DATA):
            raise HTTPException(405 if request.method == "HEAD" else 404)
        found = files.get(path) or files.get("/index.html")
        if found is None:
            return PlainTextResponse("The pages are not built. Run: make install (it needs Node 20 or newer).\n", 503)
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        hashed = path.startswith("/assets/") and path in files
        kept = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return FileResponse(found, media_type=kind, headers={"Cache-Control": kept})

    return Route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)
