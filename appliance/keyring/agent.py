"""The key agent's verbs: a closed table from a request to an answer, no sockets."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import threading
import time
from collections.abc import Callable
from typing import Any

from appliance import clock
from appliance.audit.log import AuditLog
from appliance.errors import BadInput, NegatoError, Refused
from appliance.keyring.epochs import OpenEpoch, open_epochs
from appliance.keyring.leases import PURPOSES, Lease, LeaseTable
from appliance.keyring.slots import unlock_slot
from appliance.paths import StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.words import passphrase_bytes

MOST_HEADERS = 10_000


class Agent:
    """Holds the archive's identities while a lease lives."""

    def __init__(self, paths: StatePaths, log: AuditLog, leases: LeaseTable) -> None:
        self._paths = paths
        self._log = log
        self._leases = leases
        self._epochs: dict[str, list[OpenEpoch]] = {}
        self._lock = threading.Lock()
        self._one_login = threading.Lock()
        self.changed = threading.Condition()
        self.over = threading.Event()
        self._verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "status": self.status,
            "login": self.login,
            "logout": self.logout,
            "lease": self.lease,
            "peek": self.peek,
            "job": self.job,
            "unwrap": self.unwrap,
            "lock": self.lock,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; every outcome is an answer, an error too."""
        verb = request.pop("verb", None)
        handler = self._verbs.get(verb) if isinstance(verb, str) else None
        try:
            if handler is None:
                raise BadInput("The key agent does not know this verb.")
            if not all(isinstance(value, str | list) for value in request.values()):
                raise BadInput("A request to the key agent is malformed.")
            return {"ok": handler(**request)}
        except NegatoError as error:
            return {"error": type(error).__name__, "message": error.message, "next_step": error.next_step}
        except TypeError:
            return {"error": "BadInput", "message": "A request to the key agent is malformed.", "next_step": ""}

    def status(self) -> dict[str, Any]:
        """Tell whether the archive is locked."""
        with self._lock:
            return {"locked": not self._epochs or self.over.is_set(), "leases": self._leases.people(time.monotonic())}

    def login(self, person: str, passphrase: str) -> dict[str, Any]:
        """Open a person's slot and give out a lease. One at a time: each costs much memory by design."""
        with self._one_login:
            try:
                identity = unlock_slot(self._paths, person, passphrase_bytes(passphrase))
            except Refused:
                self._log.append(clock.now(), "keyagent:person:refused", person=person[:64])
                raise
            epochs = open_epochs(self._paths, identity)
        with self._lock:
            token, lease = self._leases.open_person(person, time.monotonic())
            self._log.append(clock.now(), "keyagent:person:login", person=person, lease=lease.id)
            self._epochs[person] = epochs
        self._tell()
        return {"token": token, "lease": lease.id, "person": person}

    def logout(self, token: str) -> dict[str, Any]:
        """End a lease; the last one locks."""
        with self._lock:
            lease = self._leases.end(token)
            if lease is not None:
                self._log.append(clock.now(), "keyagent:person:logout", person=lease.person, lease=lease.id)
        self.sweep()
        return {}

    def lease(self, token: str) -> dict[str, Any]:
        """Tell whose lease a token is, and put off its idle end."""
        with self._lock:
            lease = self._leases.use(token, time.monotonic())
        return {"lease": lease.id, "person": lease.person, "kind": lease.kind}

    def peek(self, token: str) -> dict[str, Any]:
        """Tell whose lease a token is and leave its idle end as it is: a page that is merely open is not used."""
        with self._lock:
            lease = self._leases.find(token, time.monotonic())
        return {"lease": lease.id, "person": lease.person, "kind": lease.kind}

    def job(self) -> dict[str, Any]:
        """Give out a lease for the appliance's own work on notes, while somebody is logged in."""
        with self._lock:
            token, lease = self._leases.open_job(time.monotonic())
        self._log.append(clock.now(), "keyagent:job:begin", lease=lease.id)
        return {"token": token, "lease": lease.id}

    def unwrap(self, token: str, purpose: str, study: str, headers: list[str]) -> dict[str, Any]:
        """Give out the file keys of a batch of age headers, after the audit line that names them is durable.

        ``study`` is the index's opaque key, empty for work on notes. A header that none of the reader's identities
        opens refuses the whole batch.
        """
        raws = _decode(headers)
        with self._lock:
            lease = self._leases.use(token, time.monotonic())
            identities = self._identities(lease, purpose)
        digests = [hashlib.sha256(raw).hexdigest() for raw in raws]
        event = f"keyagent:{'study' if study else 'notes'}:{purpose if identities else 'refused'}"
        self._log.append(clock.now(), event, person=lease.person, lease=lease.id, study=study[:64], headers=digests)
        if not identities:
            raise Refused("This session may not read that.", "Ask the owner of the box.")
        keys = [unwrap(identities, read_header(io.BytesIO(raw))) for raw in raws]
        return {"keys": [base64.b64encode(key).decode("ascii") for key in keys]}

    def lock(self) -> dict[str, Any]:
        """End every lease now."""
        self._log.append(clock.now(), "keyagent:archive:lock")
        self._finish()
        return {}

    def sweep(self) -> None:
        """Finish when the last lease has ended since the archive was opened."""
        with self._lock:
            unlocked = bool(self._epochs)
            if not unlocked or self._leases.people(time.monotonic()):
                return
        self._finish()

    def _identities(self, lease: Lease, purpose: str) -> list[Identity]:
        if purpose not in lease.purposes:
            return []
        people = [lease.person] if lease.kind == "person" else list(self._epochs)
        found = (epoch.of(PURPOSES[purpose]) for person in people for epoch in self._epochs.get(person, []))
        return list({str(identity.recipient()): identity for identity in found if identity is not None}.values())

    def _finish(self) -> None:
        """Serve no key any more; the process ends right after, and its memory with it."""
        with self._lock:
            self.over.set()
            self._epochs = {}
            self._leases.end_all()
        self._tell()

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()


def _decode(headers: list[str]) -> list[bytes]:
    if not headers or len(headers) > MOST_HEADERS:
        raise BadInput(f"A batch has 1 to {MOST_HEADERS} headers.")
    try:
        return [base64.b64decode(header, validate=True) for header in headers]
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadInput("A header in a batch is not base64.") from error
