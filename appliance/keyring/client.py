"""The caller's side of the key agent."""

from __future__ import annotations

import base64
import contextlib
import queue
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import errors, sockets
from appliance.errors import EnvironmentProblem, NegatoError
from appliance.keyring import wire

TIMEOUT = 60.0
KEPT = 8


@dataclass(frozen=True, slots=True)
class LeaseInfo:
    """Whose lease a token is; ``device`` is where it is good, empty for the box itself."""

    lease: str
    person: str
    kind: str
    device: str


@dataclass(frozen=True, slots=True)
class Opened(LeaseInfo):
    """A lease that was just opened.

    ``audit_head`` is number and hash of the audit line of this login: who remembers it notices a disk that was put
    back. ``rolled_back`` says that the head which was remembered from the last time is not in the log any more.
    """

    audit_head: tuple[int, str]
    rolled_back: bool


@dataclass(frozen=True, slots=True)
class Browser:
    """The claimed browser of a device: its secret as it showed it and the one it gets next, 64 hex digits each."""

    device: str
    shown: str = field(repr=False)
    fresh: str = field(repr=False)


class AgentClient:
    """Talks to the key agent; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: queue.LifoQueue[socket.socket] = queue.LifoQueue(KEPT)

    def locked(self) -> bool:
        """Return whether the archive is locked."""
        return bool(self._call("status")["locked"])

    def login(
        self,
        person: str,
        passphrase: str,
        seen: tuple[int, str] | None = None,
        browser: Browser | None = None,
    ) -> tuple[str, Opened]:
        """Open a person's slot; return the token of the new lease. :class:`Refused` for a wrong passphrase.

        ``seen`` is the audit head that this person's browser remembers, ``browser`` the claimed one of the device
        where the person is. The token is good for this process only.
        """
        more = {"seen": f"{seen[0]}:{seen[1]}"} if seen else {}
        if browser is not None:
            more |= {"device": browser.device, "shown": browser.shown, "fresh": browser.fresh}
        answer = self._call("login", person=person, passphrase=passphrase, **more)
        head = answer["audit_head"]
        opened = Opened(
            answer["lease"], answer["person"], "person", browser.device if browser else "",
            (int(head["seq"]), str(head["hash"])), answer["rolled_back"],
        )  # fmt: skip
        return answer["token"], opened

    def logout(self, token: str) -> None:
        """End a lease; the last one locks the archive."""
        self._call("logout", token=token)

    def lease(self, token: str) -> LeaseInfo:
        """Return whose lease a token is; :class:`Refused` when it has ended."""
        return LeaseInfo(**self._call("lease", token=token))

    def peek(self, token: str) -> tuple[int, str]:
        """Return number and hash of the last audit line, without counting as a use of the token.

        :class:`NotLoggedIn` when its lease has ended.
        """
        head = self._call("peek", token=token)["audit_head"]
        return int(head["seq"]), str(head["hash"])

    def job(self) -> str:
        """Return the token of a lease for the appliance's own work on notes."""
        return str(self._call("job")["token"])

    def ticket(self, token: str, studies: Sequence[str]) -> str:
        """Return the token of a lease on these studies alone, by their opaque keys, to view only."""
        return str(self._call("ticket", token=token, studies=list(studies))["token"])

    def decide(self, token: str, kind: str, study: str, digest: str) -> None:
        """Have it written down that whoever is behind ``token`` takes a decision, before it takes effect.

        ``digest`` is the SHA-256 of the sealed decision in hex. :class:`Refused` for who may not decide this.
        """
        self._call("decide", token=token, kind=kind, study=study, digest=digest)

    def unwrap(self, token: str, purpose: str, study: str, headers: Sequence[bytes]) -> list[bytes]:
        """Return the file keys of a batch of age headers, audited as one read."""
        texts = [base64.b64encode(header).decode("ascii") for header in headers]
        answer = self._call("unwrap", token=token, purpose=purpose, study=study, headers=texts)
        return [base64.b64decode(key) for key in answer["keys"]]

    def device(self, act: str, device: str, person: str, token: str = "", reason: str = "") -> None:
        """Have it written down what becomes of a device, before it does; ``token`` is that of who does it."""
        more = {name: said for name, said in (("token", token), ("reason", reason)) if said}
        self._call("device", act=act, device=device, person=person, **more)

    def end_device(self, device: str, person: str) -> None:
        """End every session on a device; with ``person``, take that person's half of a slot from it."""
        self._call("end_device", device=device, person=person)

    def needs_half(self, person: str) -> bool:
        """Return whether somebody's slot needs the half that a claimed browser holds."""
        return bool(self._call("half", person=person)["needed"])

    def recover(self, paper: str) -> str:
        """Return a token for devices alone in exchange for the paper key; :class:`Refused` for any other text."""
        return str(self._call("recover", paper=paper)["token"])

    def approve(self, token: str) -> str:
        """Return a short code with which a further browser of the person behind ``token`` can be claimed."""
        return str(self._call("approve", token=token)["code"])

    def claim(self, person: str, passphrase: str, code: str, device: str, fresh: str) -> None:
        """Let the browser with the secret ``fresh`` hold a person's half; :class:`Refused` for a wrong code."""
        self._call("claim", person=person, passphrase=passphrase, code=code, device=device, fresh=fresh)

    def shorten(self, token: str, passphrase: str, password: str, shown: str) -> None:
        """Replace a passphrase by a shorter password and the half that the browser with ``shown`` holds."""
        self._call("shorten", token=token, passphrase=passphrase, password=password, shown=shown)

    def lock(self) -> None:
        """Lock the archive now."""
        self._call("lock")

    def watch(self, patience: float = 0.0) -> Iterator[bool]:
        """Yield whether the archive is locked, at once and after every change; end when the agent ends.

        An agent that is not there yet is waited for, up to ``patience`` seconds.
        """
        # An agent that ends before it reads resets the connection.
        with self._await(patience) as connection, contextlib.suppress(OSError):
            wire.send(connection, {"verb": "watch"})
            while (message := wire.receive(connection)) is not None:
                yield bool(message["ok"]["locked"])

    def _call(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Ask, and ask again if the agent ended without an answer: the next one knows no lease and keeps no promise."""
        request = {"verb": verb, **fields}
        answer = self._ask(request) or self._ask(request)
        if answer is None:
            raise _gone()
        if "ok" not in answer:
            kind = getattr(errors, str(answer.get("error")), NegatoError)
            raise kind(str(answer.get("message")), str(answer.get("next_step")))
        return dict(answer["ok"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to one request, ``None`` when the agent ended before it gave one."""
        connection = self._take()
        try:
            wire.send(connection, request)
            answer = wire.receive(connection)
        except TimeoutError as error:
            connection.close()
            raise EnvironmentProblem("The key agent does not answer.", "Restart the box.") from error
        except OSError:
            answer = None
        if answer is None:
            connection.close()
            return None
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()
        return answer

    def _await(self, patience: float) -> socket.socket:
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._connect(None)
            except EnvironmentProblem:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)

    def _take(self) -> socket.socket:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return self._connect(TIMEOUT)
            if _alive(connection):
                return connection
            connection.close()

    def _connect(self, timeout: float | None) -> socket.socket:
        try:
            connection = sockets.connect(self._path)
        except OSError as error:
            raise _gone() from error
        connection.settimeout(timeout)
        return connection


def _alive(connection: socket.socket) -> bool:
    """Return whether an idle connection is still open: nothing may be waiting on it, not even its end."""
    try:
        connection.setblocking(False)
        try:
            connection.recv(1, socket.MSG_PEEK)
            return False
        except BlockingIOError:
            return True
        finally:
            connection.settimeout(TIMEOUT)
    except OSError:
        return False


def _gone() -> EnvironmentProblem:
    return EnvironmentProblem("The key agent is not running.", "Start the box: appliance serve")
