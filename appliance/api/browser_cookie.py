"""The claimed browser's secret in its cookie: seen by the routes of sessions alone, by no script, by no other site."""

from __future__ import annotations

from fastapi import Request, Response

COOKIE = "negato_browser"
PATH = "/api/session"
# Browsers keep a cookie for 400 days at most; every login renews it.
MAX_AGE = 400 * 24 * 3600


def shown_secret(request: Request) -> str:
    """Return what the browser shows, empty for nothing."""
    return request.cookies.get(COOKIE, "")


def give_secret(answer: Response, request: Request, secret: str) -> None:
    """Have the browser keep ``secret``."""
    answer.set_cookie(
        COOKIE, secret, max_age=MAX_AGE, path=PATH, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
