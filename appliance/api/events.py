"""Server-sent events: pages learn at once that something arrived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends
from sse_starlette import EventSourceResponse, ServerSentEvent

from appliance.api.gate import Gate
from appliance.errors import NegatoError
from appliance.keyring.client import AgentClient
from appliance.retrieve.reading import Reader

CHECK_SECONDS = 5.0


class Events:
    """Tells every open page that the index or the devices changed. An event says nothing of what changed."""

    def __init__(self) -> None:
        self._revision = 0
        self._devices = 0
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakers: set[asyncio.Event] = set()

    def changed(self) -> None:
        """Note a change; may be called from any thread."""
        self._revision += 1
        self._wake()

    def devices_changed(self) -> None:
        """Note that something of the devices or the equipment changed; may be called from any thread."""
        self._devices += 1
        self._wake()

    def look_again(self) -> None:
        """Have every stream look whether its session still lives; may be called from any thread."""
        self._wake()

    def close(self) -> None:
        """End every stream: the archive was locked. May be called from any thread."""
        self._closed = True
        self._wake()

    async def stream(self, agent: AgentClient, reader: Reader) -> AsyncIterator[ServerSentEvent]:
        """Yield the revision at once and after every change, until the lease or the appliance ends.

        Beside that, every few seconds and as often as it changes, the end of the key agent's record.
        """
        self._loop = asyncio.get_running_loop()
        waker = asyncio.Event()
        self._wakers.add(waker)
        told, told_devices = -1, self._devices
        head = told_head = (0, "")
        try:
            while not self._closed:
                if told != self._revision:
                    told = self._revision
                    yield ServerSentEvent(event="changed", data=f'{{"revision":{told}}}')
                if told_devices != self._devices:
                    told_devices = self._devices
                    yield ServerSentEvent(event="devices", data=f'{{"revision":{told_devices}}}')
                if told_head != head:
                    told_head = head
                    yield ServerSentEvent(event="record", data=f'{{"seq":{head[0]},"hash":"{head[1]}"}}')
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waker.wait(), CHECK_SECONDS)
                waker.clear()
                try:
                    head = await asyncio.to_thread(agent.peek, reader.token)
                except NegatoError:
                    break
            yield ServerSentEvent(event="locked" if await self._locked(agent) else "ended", data="{}")
        finally:
            self._wakers.discard(waker)

    async def _locked(self, agent: AgentClient) -> bool:
        try:
            return self._closed or await asyncio.to_thread(agent.locked)
        except NegatoError:
            return True

    def _wake(self) -> None:
        loop = self._loop
        if loop is None:
            return

        def wake() -> None:
            for waker in self._wakers:
                waker.set()

        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(wake)


def events_router(gate: Gate, agent: AgentClient, events: Events) -> APIRouter:
    """Return the route of the event stream."""
    router = APIRouter(tags=["events"])

    @router.get("/api/events", response_class=EventSourceResponse)
    async def follow(reader: Reader = Depends(gate.reader)) -> EventSourceResponse:
        """Follow what changes: ``changed`` and ``devices`` with a revision, ``record`` with the end of the audit log.

        ``locked`` or ``ended`` comes last.
        """
        return EventSourceResponse(events.stream(agent, reader), ping=20)

    return router
