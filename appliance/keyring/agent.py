"""The key agent's verbs: a closed table from a request to an answer, no sockets."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from appliance import errors
from appliance.audit.anchors import as_field
from appliance.audit.log import AuditLog
from appliance.errors import BadInput, Damaged, EnvironmentProblem, NegatoError, NotLoggedIn, Refused
from appliance.keyring.decisions import DECIDES, objection
from appliance.keyring.device_verbs import DeviceVerbs, require_device
from appliance.keyring.door import Door
from appliance.keyring.epochs import ExchangedKey, OpenEpoch, open_epochs
from appliance.keyring.exchanged import all_is_well, raise_alarm
from appliance.keyring.halves import Halves
from appliance.keyring.leases import PURPOSES, Caller, Lease, LeaseTable, TakenToken
from appliance.keyring.record import Record, remembered_head
from appliance.logs import log_unexpected
from appliance.paths import StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap

MOST_HEADERS = 10_000
MOST_STUDIES = 100
LONGEST_STUDY = 64
DIGEST = re.compile(r"[0-9a-f]{64}")


class Verb(NamedTuple):
    """One verb: what carries it out, what must be said with it and what may be. Each value is a text or texts."""

    handler: Callable[..., dict[str, Any]]
    needs: dict[str, type]
    may: dict[str, type] = {}  # noqa: RUF012  # never written to


class Agent:
    """Holds the archive's identities while a lease lives."""

    def __init__(self, paths: StatePaths, log: AuditLog, leases: LeaseTable) -> None:
        self._paths = paths
        self._record = Record(paths, log)
        self._leases = leases
        self._halves = Halves(paths)
        self._epochs: dict[str, list[OpenEpoch]] = {}
        self._lock = threading.Lock()
        self._ended = False
        self.changed = threading.Condition()
        self.over = threading.Event()
        self._door = Door(self._record, self.over)
        self._devices = DeviceVerbs(paths, self._record, leases, self._lock, self._door, self._halves, self._after_end)
        self._verbs = {
            "status": Verb(self.status, {}),
            "login": Verb(
                self.login,
                {"person": str, "passphrase": str},
                {"seen": str, "device": str, "shown": str, "fresh": str},
            ),
            "logout": Verb(self.logout, {"token": str}),
            "lease": Verb(self.lease, {"token": str}),
            "peek": Verb(self.peek, {"token": str}),
            "job": Verb(self.job, {}),
            "ticket": Verb(self.ticket, {"token": str, "studies": list}),
            "decide": Verb(self.decide, {"token": str, "kind": str, "study": str, "digest": str}),
            "unwrap": Verb(self.unwrap, {"token": str, "purpose": str, "study": str, "headers": list}),
            "lock": Verb(self.lock, {}),
            "device": Verb(
                self._devices.note, {"act": str, "device": str, "person": str}, {"token": str, "reason": str}
            ),
            "half": Verb(self._devices.half, {"person": str}),
            "end_device": Verb(self._devices.end_device, {"device": str, "person": str}),
            "recover": Verb(self._devices.recover, {"paper": str}),
            "approve": Verb(self._devices.approve, {"token": str}),
            "claim": Verb(
                self._devices.claim, {"person": str, "passphrase": str, "code": str, "device": str, "fresh": str}
            ),
            "shorten": Verb(self._devices.shorten, {"token": str, "passphrase": str, "password": str, "shown": str}),
        }

    def answer(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Carry out one request; every outcome is an answer, an error too."""
        name = request.pop("verb", None)
        verb = self._verbs.get(name) if isinstance(name, str) else None
        try:
            if verb is None:
                raise BadInput("The key agent does not know this verb.")
            _check(verb, request)
            return {"ok": verb.handler(caller, **request)}
        except NegatoError as error:
            return _failed(self._noted(error))
        except Exception as error:  # A caller is answered whatever happens; what it was says nothing of what was asked.
            log_unexpected(error)
            return _failed(NegatoError("The key agent failed.", "Try again; if it stays, ask for help."))

    def status(self, _caller: Caller) -> dict[str, Any]:
        """Tell whether the archive is locked."""
        with self._lock:
            return {"locked": not self._epochs or self.over.is_set(), "leases": self._leases.people(time.monotonic())}

    def login(
        self,
        caller: Caller,
        person: str,
        passphrase: str,
        seen: str = "",
        device: str = "",
        shown: str = "",
        fresh: str = "",
    ) -> dict[str, Any]:
        """Open a person's slot and give out a lease. One at a time: each costs much memory by design.

        ``device`` is the id of where the person logs in, empty for the box itself; ``shown`` and ``fresh`` are the
        secret of that device's browser and its next one, of which a slot with a device's half needs the first.

        ``seen`` is the audit head that the person's browser remembers, ``seq:hash``. If the log does not hold that
        line any more, or a log not the line that was its last at the last login or lock, the record was cut or the disk
        put back to an earlier day, and the answer says so.
        """
        require_device(device)
        remembered = remembered_head(seen)
        with self._door.turn(person):
            identity = self._door.open(person, lambda: self._halves.open(person, passphrase, device, shown, fresh))
            epochs = self._open_epochs(person, identity)
        rolled_back = self._record.forgot(remembered)
        with self._lock:
            if self.over.is_set():
                raise EnvironmentProblem("The archive is just being locked.", "Try again in a moment.")
            if rolled_back:
                self._record.write("keyagent:audit:rolled_back", person=person, seen=seen)
            if cut := self._record.cut_since_seen():
                self._record.write("keyagent:audit:cut", person=person, logs=cut)
            token, lease = self._leases.open_person(person, caller, time.monotonic(), device)
            with self._withdrawn_unless_written(token):
                known = self._record.ends()
                on_device = {"device": device} if device else {}
                head = self._record.write(
                    "keyagent:person:login", person=person, lease=lease.id, heads=known, **on_device
                )
            self._epochs[person] = epochs
            self._record.see_ends()
        self._tell()
        return {
            "token": token,
            "lease": lease.id,
            "person": person,
            "audit_head": as_field(head),
            "rolled_back": rolled_back or bool(cut),
        }

    def logout(self, caller: Caller, token: str) -> dict[str, Any]:
        """End a lease; the last one locks. That never waits for room in the log."""
        with self._lock:
            lease = self._leases.end(token, caller, time.monotonic())
            if lease is not None:
                self._record.write_if_it_can("keyagent:person:logout", person=lease.person, lease=lease.id)
        self.sweep()
        return {}

    def lease(self, caller: Caller, token: str) -> dict[str, Any]:
        """Tell whose lease a token is, and put off its idle end."""
        with self._lock:
            lease = self._leases.use(token, caller, time.monotonic())
        return {"lease": lease.id, "person": lease.person, "kind": lease.kind, "device": lease.device}

    def peek(self, caller: Caller, token: str) -> dict[str, Any]:
        """Tell how far the record goes and leave the lease's idle end as it is: a page that is merely open is not used.

        Raises as :meth:`lease` for a token whose lease has ended.
        """
        with self._lock:
            self._leases.find(token, caller, time.monotonic())
        return {"audit_head": as_field(self._record.head)}

    def job(self, caller: Caller) -> dict[str, Any]:
        """Give out a lease for the appliance's own work on notes, while somebody is logged in."""
        with self._lock:
            token, lease = self._leases.open_job(caller, time.monotonic())
            with self._withdrawn_unless_written(token):
                self._record.write("keyagent:job:begin", lease=lease.id)
        return {"token": token, "lease": lease.id}

    def ticket(self, caller: Caller, token: str, studies: list[str]) -> dict[str, Any]:
        """Give out a lease on some studies, to view only, in the name of the person whose token it is."""
        if not studies or len(studies) > MOST_STUDIES or any(len(study) > LONGEST_STUDY for study in studies):
            raise BadInput(f"A ticket names 1 to {MOST_STUDIES} studies.")
        now = time.monotonic()
        with self._lock:
            issuer = self._leases.use(token, caller, now)
            fresh, lease = self._leases.open_ticket(issuer, studies, now)
            with self._withdrawn_unless_written(fresh):
                named = sorted(set(studies))
                self._record.write("keyagent:ticket:issue", person=lease.person, lease=lease.id, studies=named)
        return {"token": fresh, "lease": lease.id}

    def decide(self, caller: Caller, token: str, kind: str, study: str, digest: str) -> dict[str, Any]:
        """Let a decision be taken by whom it is due, and write that down; the line is durable when this returns.

        ``study`` is the index's opaque key, empty for a decision that names none, ``digest`` the SHA-256 of the sealed
        decision, in which what it says stands. The role is the one sealed in the newest key file, out of the pages'
        reach. Every refusal is one audit line, too.
        """
        if kind not in DECIDES or len(study) > LONGEST_STUDY or not DIGEST.fullmatch(digest):
            raise BadInput("The key agent does not know this decision.")
        named = {"study": study, "decision": digest}
        with self._asked_by(caller, token, named) as lease:
            role = next((epoch.role for epoch in self._epochs.get(lease.person, [])), "")
        if reason := objection(lease.kind, role, kind):
            self._record.refuse(lease, reason, kind=kind, **named)
            raise Refused("This person may not decide that.", "Ask the owner of the box.")
        self._record.write(f"keyagent:decision:{kind}", person=lease.person, lease=lease.id, **named)
        return {"person": lease.person}

    def unwrap(self, caller: Caller, token: str, purpose: str, study: str, headers: list[str]) -> dict[str, Any]:
        """Give out the file keys of a batch of age headers, after the audit line that names them is durable.

        ``study`` is the index's opaque key, empty for work on notes. A batch that the lease does not cover, or with a
        header that none of the reader's identities opens, is refused whole. Every outcome is one audit line.
        """
        if len(study) > LONGEST_STUDY:
            raise BadInput("This is no key of a study.")
        raws = _decode(headers)
        read = {"study": study, "headers": [hashlib.sha256(raw).hexdigest() for raw in raws]}
        with self._asked_by(caller, token, read) as lease:
            identities = self._identities(lease, purpose)
        objection = lease.objection(purpose, study) or ("" if identities else "not granted")
        if objection:
            self._record.refuse(lease, objection, **read)
            raise Refused("This session may not read that.", "Ask the owner of the box.")
        try:
            keys = [unwrap(identities, read_header(io.BytesIO(raw))) for raw in raws]
        except NegatoError as error:
            self._record.refuse(lease, type(error).__name__, **read)
            # The lease covers the read, so what does not open is not the reader's fault: a harmed or a foreign file.
            raise Damaged(error.message, "Run: appliance check --deep") from error
        event = f"keyagent:{'study' if study else 'notes'}:{purpose}"
        self._record.write(event, person=lease.person, lease=lease.id, **read)
        if self.over.is_set():
            raise NotLoggedIn("The archive is being locked.", "Log in again.")
        return {"keys": [base64.b64encode(key).decode("ascii") for key in keys]}

    def lock(self, _caller: Caller) -> dict[str, Any]:
        """End every lease now."""
        self.finish("asked")
        return {}

    def sweep(self) -> None:
        """Finish when the last lease has ended since the archive was opened; have the record watched until then."""
        with self._lock:
            if self._epochs:
                self._record.see_growth(time.monotonic())
            if not self._epochs or self._leases.people(time.monotonic()):
                return
        self.finish("last session ended")

    def finish(self, reason: str) -> None:
        """Lock: write down why and how far every log goes, serve no key any more, then let the process end."""
        self.over.set()
        try:
            with self._lock:
                first, self._ended = not self._ended, True
                if first and (self._epochs or reason == "asked"):
                    self._record.lock(reason)
        finally:
            with self._lock:
                self._epochs = {}
                self._leases.end_all()
                self._halves.forget_all()
                self._devices.forget_all()
            self._tell()

    def _open_epochs(self, person: str, identity: Identity) -> list[OpenEpoch]:
        try:
            epochs = open_epochs(self._paths, identity)
        except ExchangedKey as error:
            try:
                raise_alarm(self._paths, error.file)
            finally:
                self._record.write_if_it_can("keyagent:recipients:exchanged", person=person, public_key=error.file)
            raise
        if not any(epoch.notes or epoch.images for epoch in epochs):
            # A slot that was put back after its person left: right passphrase, no key.
            self._record.write("keyagent:person:refused", person=person, reason="opens nothing")
            raise Refused("Name or passphrase is wrong.", "Check both and try again.")
        if all_is_well(self._paths, epochs):
            self._record.write("keyagent:recipients:restored", person=person)
        return epochs

    def _identities(self, lease: Lease, purpose: str) -> list[Identity]:
        if purpose not in lease.purposes:
            return []
        people = list(self._epochs) if lease.kind == "job" else [lease.person]
        found = (epoch.of(PURPOSES[purpose]) for person in people for epoch in self._epochs.get(person, []))
        return list({str(identity.recipient()): identity for identity in found if identity is not None}.values())

    @contextmanager
    def _asked_by(self, caller: Caller, token: str, asked: dict[str, Any]) -> Iterator[Lease]:
        """Yield the lease that asks, with the table held; one that has ended or is another caller's is recorded."""
        try:
            with self._lock:
                yield self._leases.use(token, caller, time.monotonic())
        except NotLoggedIn:
            self._record.refuse(self._leases.ended(token), "ended", **asked)
            raise
        except TakenToken as error:
            self._record.refuse(error.lease, "other caller", **asked)
            raise Refused(error.message, error.next_step) from error

    @contextmanager
    def _withdrawn_unless_written(self, token: str) -> Iterator[None]:
        """Take back the lease that was just opened if its line cannot be written: nobody ever gets the token."""
        try:
            yield
        except BaseException:
            self._leases.withdraw(token)
            raise

    def _noted(self, error: NegatoError) -> NegatoError:
        """Return what the caller hears of an error; the use of somebody else's token is written down first."""
        if not isinstance(error, TakenToken):
            return error
        try:
            self._record.refuse(error.lease, "other caller")
        except NegatoError as unwritten:
            return unwritten
        return error

    def _after_end(self) -> None:
        """Tell who watches that sessions ended, and lock when the last one did."""
        self._tell()
        self.sweep()

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()


def _check(verb: Verb, request: dict[str, Any]) -> None:
    """Raise :class:`BadInput` unless the request says what the verb needs and nothing that it does not know."""
    allowed = verb.needs | verb.may
    if verb.needs.keys() - request.keys() or request.keys() - allowed.keys():
        raise BadInput("A request to the key agent is malformed.")
    for name, value in request.items():
        texts = value if isinstance(value, list) else [value]
        if type(value) is not allowed[name] or not all(isinstance(text, str) and _is_text(text) for text in texts):
            raise BadInput("A request to the key agent is malformed.")


def _is_text(text: str) -> bool:
    """Return whether a string of JSON is text: half a letter (an unpaired surrogate) cannot be written down."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _failed(error: NegatoError) -> dict[str, Any]:
    kinds = (kind.__name__ for kind in type(error).__mro__)
    kind = next(name for name in kinds if hasattr(errors, name))
    return {"error": kind, "message": error.message, "next_step": error.next_step}


def _decode(headers: list[str]) -> list[bytes]:
    if not headers or len(headers) > MOST_HEADERS:
        raise BadInput(f"A batch has 1 to {MOST_HEADERS} headers.")
    try:
        return [base64.b64decode(header, validate=True) for header in headers]
    except (binascii.Error, ValueError) as error:
        raise BadInput("A header in a batch is not base64.") from error
