"""How an error is answered over HTTP: one table, one body."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from appliance.errors import (
    BadInput,
    Damaged,
    EnvironmentProblem,
    Locked,
    NegatoError,
    NotAcceptable,
    NotFound,
    NotLoggedIn,
    NotSupported,
    Refused,
    StorageFull,
)
from appliance.logs import log_unexpected

ANSWERS: tuple[tuple[type[NegatoError], int, str], ...] = (
    (NotAcceptable, 406, "not_acceptable"),
    (NotSupported, 415, "not_supported"),
    (BadInput, 400, "bad_input"),
    (NotFound, 404, "not_found"),
    (Locked, 423, "locked"),
    (NotLoggedIn, 401, "not_logged_in"),
    (Refused, 403, "refused"),
    (Damaged, 500, "damaged"),
    (StorageFull, 507, "storage_full"),
    (EnvironmentProblem, 503, "environment"),
    (NegatoError, 500, "failed"),
)


def answer_error(error: NegatoError, status: int | None = None, code: str | None = None) -> Response:
    """Return the answer to a request that failed with ``error``."""
    found, name = next((number, text) for kind, number, text in ANSWERS if isinstance(error, kind))
    body = {"error": code or name, "message": error.message, "next_step": error.next_step}
    return JSONResponse(body, status or found)


def register(app: FastAPI) -> None:
    """Answer every kind of failure in the same form; what was unexpected says nothing of its content."""

    @app.exception_handler(NegatoError)
    async def _known(_request: Request, error: NegatoError) -> Response:
        return answer_error(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, _error: RequestValidationError) -> Response:
        return answer_error(BadInput("The request is not of the form this address takes.", "See docs/api.md."))

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return answer_error(NotFound("There is nothing at this address."))
        if error.status_code == 413:
            return answer_error(BadInput("The request is too long.", "Send less at once."), status=413)
        return answer_error(BadInput("This address does not take such a request."), status=error.status_code)

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, error: Exception) -> Response:
        log_unexpected(error)
        return answer_error(NegatoError("The appliance failed.", "Try again; if it stays, ask for help."))
