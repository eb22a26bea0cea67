"""Who is asking: the session behind a request, as the key agent knows it."""

from __future__ import annotations

import asyncio
import hashlib
import time

from fastapi import Request

from appliance.api.visitors import Visitors
from appliance.errors import EnvironmentProblem, Locked, NotLoggedIn
from appliance.keyring.client import AgentClient
from appliance.retrieve.reading import Reader

COOKIE = "negato_session"
TRUSTED_SECONDS = 0.5


class Gate:
    """Lets a request through to a reader's route, or says why not.

    What the key agent said of a token is believed for half a second, so that a page of pictures does not ask for each;
    an ended lease is therefore noticed within that time, and never yields a key in between.
    """

    def __init__(self, agent: AgentClient, visitors: Visitors) -> None:
        self._agent = agent
        self._visitors = visitors
        self._seen: dict[bytes, tuple[float, Reader]] = {}
        self._shut = False

    async def reader(self, request: Request) -> Reader:
        """Return who asks; :class:`Locked` while the archive is, else :class:`NotLoggedIn`.

        A session lives on the device where it was opened: its cookie at another address is nobody's.
        """
        if self._shut:
            raise _locked()
        token = request.cookies.get(COOKIE, "")
        digest, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        known = self._seen.get(digest)
        if known is not None and now < known[0]:
            reader = known[1]
        else:
            reader = await asyncio.to_thread(self._ask, token)
            self._seen = {key: kept for key, kept in self._seen.items() if now < kept[0]}
            self._seen[digest] = (now + TRUSTED_SECONDS, reader)
            if self._shut:
                raise _locked()
        where = await self._visitors.of(request)
        if reader.device != (where.device.id if where.device else ""):
            raise NotLoggedIn("This session belongs to another device.", "Log in on this one.")
        return reader

    def forget(self, token: str) -> None:
        """Believe nothing of a token any more: it was logged out."""
        self._seen.pop(hashlib.sha256(token.encode()).digest(), None)

    def forget_device(self, device: str) -> None:
        """Believe nothing of the sessions on a device any more: they were ended."""
        self._seen = {key: kept for key, kept in self._seen.items() if kept[1].device != device}
        self._visitors.forget()

    def shut(self) -> None:
        """Let nobody through any more: the archive was locked, and this process ends. May be called from any thread."""
        self._shut = True

    def require_open(self) -> None:
        """Raise :class:`EnvironmentProblem` once shut: who logs in now has to be let in by the process after this."""
        if self._shut:
            raise EnvironmentProblem("The archive is just being locked.", "Try again in a moment.")

    def _ask(self, token: str) -> Reader:
        if token:
            try:
                lease = self._agent.lease(token)
                if lease.kind == "person":
                    return Reader(token, lease.lease, lease.person, lease.device)
            except NotLoggedIn:
                pass
        if self._agent.locked():
            raise _locked()
        raise NotLoggedIn("Nobody is logged in here.", "Log in first.")


def _locked() -> Locked:
    return Locked("The archive is locked.", "Log in to unlock it.")


async def open_to_all() -> None:
    """Mark a route that asks for no session; every other one must name :meth:`Gate.reader`."""
