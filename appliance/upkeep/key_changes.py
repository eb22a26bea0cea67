"""The changes of people's keys: joining, another role, leaving, a new epoch, a new paper key.

A change is a journal entry and a list of steps, each of which does nothing when it was done already. After a kill at
any point the archive is valid - every epoch that counts is whole, everybody who stays logs in and reads - and
:meth:`KeyChanges.resume` completes the change, or takes a half-done joining back. No object is rewritten.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from appliance.errors import Damaged, Refused
from appliance.keyring.disk import write_key_file
from appliance.keyring.epochs import make_epoch, remove_epoch, seal_key_file
from appliance.keyring.public import KINDS, epoch_numbers
from appliance.keyring.readers import Reader
from appliance.keyring.slots import add_slot, remove_slot
from appliance.keyring.sums import NewKeyFile, read_key_file, write_summed
from appliance.paths import Kind, StatePaths
from appliance.people.models import Person
from appliance.people.roles import reads
from appliance.people.store import People, new_id
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.words import passphrase_bytes
from appliance.sealing.writer import seal
from appliance.upkeep import key_journal
from appliance.upkeep.cli_log import record
from appliance.upkeep.key_files import KeyFiles, open_all
from appliance.upkeep.key_journal import Entry
from appliance.upkeep.owner import Owner

INDEX_KEY_BYTES = 32

Step = tuple[str, Callable[[], None]]


class KeyChanges:
    """Changes keys for one owner; the caller holds :func:`appliance.keyring.disk.key_lock`."""

    def __init__(
        self,
        paths: StatePaths,
        people: People,
        owner: Owner,
        moment: datetime,
        lock_archive: Callable[[], None],
        progress: Callable[[str, int, int], None] = lambda _step, _done, _all: None,
    ) -> None:
        """``lock_archive`` ends every session of the running box; ``progress`` hears of each step that was done."""
        self._paths = paths
        self._people = people
        self._owner = owner
        self._moment = moment
        self._lock_archive = lock_archive
        self._progress = progress

    def resume(self) -> Entry | None:
        """Complete what a killed command left behind, and return what that was. A joining is taken back instead.

        So is a new paper key of which nobody but the killed command knew: the entry comes back with epoch 0 then.
        """
        entry = key_journal.pending(self._paths)
        if entry is None:
            return None
        if entry.act == "paper" and entry.epoch not in epoch_numbers(self._paths):
            self._run(entry, [("beginning of an epoch", lambda: remove_epoch(self._paths, entry.epoch))])
            return replace(entry, epoch=0)
        if entry.act != "join":
            self._run(entry, self._steps(entry))
        elif self._people.by_id(entry.person) is None:
            self._run(entry, [self._slot_goes(entry), *self._seals(entry, ())])
        else:
            self._run(entry, [])
        return entry

    def join(self, name: str, role: str, sees_images: bool, passphrase: str) -> Person:
        """Add somebody with a slot of their own, sealing every epoch to them as their role has it.

        A role that reads nothing gets no slot; ``passphrase`` is then empty. Errors as :meth:`People.add`.
        """
        kinds = reads(role, sees_images)
        self._people.require_free(name)
        entry = Entry("join", new_id(), role, sees_images)
        identity = Identity.generate()
        reader = Reader(entry.person, identity.recipient(), role)
        steps: list[Step] = []
        if kinds:
            secret = passphrase_bytes(passphrase)
            steps.append(("slot", lambda: add_slot(self._paths, entry.person, secret, identity, self._owner.params)))
            steps += self._seals(entry, kinds, reader)

        def add_row() -> None:
            self._people.add(name, role, self._moment, sees_images=sees_images, person=entry.person)

        self._begin(entry)
        self._run(entry, [*steps, ("list of people", add_row)])
        added = self._people.by_id(entry.person)
        assert added is not None
        return added

    def change(self, person: Person, role: str, sees_images: bool) -> Entry:
        """Give another role or grant. Who loses images by it does so from a new epoch on.

        Raises :class:`Refused` for oneself, and between a role with a slot and one without.
        """
        self._not_oneself(person)
        before, after = reads(person.role, person.sees_images), reads(role, sees_images)
        if bool(before) != bool(after):
            raise Refused(
                "Who holds a slot cannot become a technician, nor a technician somebody who reads.",
                "Use: appliance user leave, then: appliance user add",
            )
        narrower = set(before) - set(after)
        entry = Entry("change", person.id, role, sees_images, self._next_epoch() if narrower else 0)
        self._begin(entry)
        self._run(entry, self._steps(entry))
        return entry

    def leave(self, person: str, reads_now: bool) -> Entry:
        """Take the slot of ``person`` (an id), re-seal every epoch without them, begin a new one for those who stay."""
        if person == self._owner.person.id:
            raise Refused("An owner cannot leave by their own hand.", "Another owner must do it.")
        entry = Entry("leave", person, epoch=self._next_epoch() if reads_now else 0)
        self._begin(entry)
        self._run(entry, self._steps(entry))
        return entry

    def rotate(self) -> Entry:
        """Begin a new epoch for everybody."""
        entry = Entry("rotate", epoch=self._next_epoch())
        self._begin(entry)
        self._run(entry, self._steps(entry))
        return entry

    def new_paper(self, keep_kit: Callable[[Identity], None]) -> Entry:
        """Replace the paper key: a new epoch, and every older one sealed to a fresh key instead of the old.

        ``keep_kit`` has the sheet durable when it returns; before that nothing has changed.
        """
        paper = Identity.generate()
        keep_kit(paper)
        entry = Entry("paper", epoch=self._next_epoch())
        self._begin(entry)
        self._run(entry, self._steps(entry, paper.recipient()))
        return entry

    def _steps(self, entry: Entry, paper: Recipient | None = None) -> list[Step]:
        """Return what completes any change but a joining, whatever of it was done before.

        ``paper`` is needed to begin the epoch of a new paper key only: from then on it stands sealed in that epoch.

        The slot goes first: from then on nobody logs in with it. Sessions end last, when the keys they would load
        again are without the leaver, and know the new epoch.
        """
        steps: list[Step] = []
        if entry.act == "leave":
            steps.append(self._slot_goes(entry))
        if entry.epoch:
            steps.append((f"epoch {entry.epoch}", lambda: self._make_epoch(entry, paper)))
        if entry.act == "paper":
            steps += [*self._papers(entry), ("the box's own keys", lambda: self._seal_box_keys(entry))]
        elif entry.act != "rotate":
            kinds = reads(entry.role, entry.sees_images) if entry.act == "change" else ()
            steps += self._seals(entry, kinds)
        if entry.epoch:
            steps.append(("key of the index", lambda: self._renew_index_key(entry)))
        if entry.epoch or entry.act == "change":  # A session keeps the keys and the role that it began with.
            steps.append(("sessions", self._lock_archive))
        if entry.person:
            steps.append(("list of people", lambda: self._write_row(entry)))
        return steps

    def _begin(self, entry: Entry) -> None:
        record(
            self._paths, self._moment, f"cli:{entry.act}:begin",
            by=self._owner.person.id, person=entry.person, role=entry.role, epoch=entry.epoch,
        )  # fmt: skip
        key_journal.begin(self._paths, entry)

    def _run(self, entry: Entry, steps: Sequence[Step]) -> None:
        for number, (name, do) in enumerate(steps, 1):
            do()
            self._progress(name, number, len(steps))
        record(self._paths, self._moment, f"cli:{entry.act}:end", by=self._owner.person.id, person=entry.person)
        key_journal.end(self._paths)

    def _slot_goes(self, entry: Entry) -> Step:
        return "slot", lambda: remove_slot(self._paths, entry.person)

    def _seals(self, entry: Entry, kinds: Sequence[Kind], joining: Reader | None = None) -> list[Step]:
        return [
            (f"epoch {number} {kind}", self._seal_step(number, kind, entry, kind in kinds, joining))
            for number in epoch_numbers(self._paths)
            for kind in KINDS
        ]

    def _papers(self, entry: Entry) -> list[Step]:
        def seal_again(number: int, kind: Kind) -> None:
            wanted = self._open([entry.epoch])[entry.epoch, "notes"].paper
            file = self._open([number])[number, kind]
            if file.paper != wanted:
                seal_key_file(self._paths, number, kind, replace(file, paper=wanted))

        return [
            (f"epoch {number} {kind}", partial(seal_again, number, kind))
            for number in epoch_numbers(self._paths)
            if number != entry.epoch
            for kind in KINDS
        ]

    def _seal_box_keys(self, entry: Entry) -> None:
        """Seal what the box itself holds to the new paper key, and leave its recipient for what it comes to hold."""
        paper, kept = self._open([entry.epoch])[entry.epoch, "notes"].paper, self._paths.sealed_wireguard_key
        if self._paths.wireguard_key.exists() and kept.exists():
            write_key_file(kept, seal(read_key_file(self._paths.wireguard_key), [paper]))
        write_summed(self._paths, [NewKeyFile(self._paths.paper_recipient, f"{paper}\n".encode("ascii"))])

    def _seal_step(
        self, number: int, kind: Kind, entry: Entry, may: bool, joining: Reader | None
    ) -> Callable[[], None]:
        def seal_again() -> None:
            file = self._open([number])[number, kind]
            readers = self._wanted(file.readers, entry, may, joining)
            if readers != file.readers:
                seal_key_file(self._paths, number, kind, file.with_readers(readers))

        return seal_again

    def _wanted(
        self, readers: tuple[Reader, ...], entry: Entry, may: bool, joining: Reader | None
    ) -> tuple[Reader, ...]:
        """Return the readers with the person of ``entry`` among them, in the role that it gives, or without."""
        if not may:
            return tuple(reader for reader in readers if reader.person != entry.person)
        if all(reader.person != entry.person for reader in readers):
            readers = (*readers, joining or self._reader(entry.person))
        return tuple(replace(r, role=entry.role) if r.person == entry.person else r for r in readers)

    def _reader(self, person: str) -> Reader:
        """Return somebody's entry in the newest list of those who read notes; every reader is on it."""
        newest = epoch_numbers(self._paths)[-1]
        for reader in self._open([newest])[newest, "notes"].readers:
            if reader.person == person:
                return reader
        raise Damaged("A person's recipient is in no list of readers.", "Let this person leave, and add them again.")

    def _make_epoch(self, entry: Entry, paper: Recipient | None) -> None:
        numbers = epoch_numbers(self._paths)
        if entry.epoch in numbers:
            return
        newest = numbers[-1]
        files = self._open([newest])
        readers: dict[Kind, Sequence[Reader]] = {
            kind: tuple(map(self._with_role, files[newest, kind].readers)) for kind in KINDS
        }
        if entry.person:
            kinds = reads(entry.role, entry.sees_images) if entry.act == "change" else ()
            readers = {kind: self._wanted(tuple(readers[kind]), entry, kind in kinds, None) for kind in KINDS}
        make_epoch(self._paths, entry.epoch, readers, paper or files[newest, "notes"].paper)

    def _with_role(self, reader: Reader) -> Reader:
        """Return a reader of an earlier version's list with the role that the list of people has."""
        person = None if reader.role else self._people.by_id(reader.person)
        return reader if person is None else replace(reader, role=person.role)

    def _renew_index_key(self, entry: Entry) -> None:
        """Seal the key of the index to the new epoch.

        A leaver, or whoever has an old sheet, may have kept the old key file and the old notes identity, so the index
        gets a fresh key then; it is made anew from the notes at the next login.
        """
        notes = {n: file.identity for (n, kind), file in self._open().items() if kind == "notes"}
        raw = read_key_file(self._paths.index_key)
        header = read_header(io.BytesIO(raw))
        try:
            unwrap([notes[entry.epoch]], header)
            return
        except Refused:
            key = open_sealed(raw, unwrap(list(notes.values()), header))
        if entry.act in ("leave", "paper"):
            key = secrets.token_bytes(INDEX_KEY_BYTES)
        sealed = seal(key, [notes[entry.epoch].recipient()])
        write_summed(self._paths, [NewKeyFile(self._paths.index_key, sealed)])

    def _write_row(self, entry: Entry) -> None:
        if self._people.by_id(entry.person) is None:
            return  # A slot that the list of people does not know: it has no row to change.
        if entry.act == "leave":
            self._people.leave(entry.person, self._moment)
        else:
            self._people.change_role(entry.person, entry.role, entry.sees_images)

    def _open(self, numbers: Sequence[int] | None = None) -> KeyFiles:
        return open_all(self._paths, epoch_numbers(self._paths) if numbers is None else numbers, self._owner.identity)

    def _next_epoch(self) -> int:
        return epoch_numbers(self._paths)[-1] + 1

    def _not_oneself(self, person: Person) -> None:
        if person.id == self._owner.person.id:
            raise Refused("An owner cannot change their own role.", "Another owner must do it.")
