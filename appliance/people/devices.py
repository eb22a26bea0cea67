"""The devices, the equipment and the tunnel in system.db: rows in, rows out. What may be written is decided above."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlmodel import col, select

from appliance.errors import NotFound
from appliance.people.file import SystemFile
from appliance.people.models import Device, Sender, Tunnel


class Devices:
    """Devices, equipment and the tunnel of one appliance.

    A change is a function that is called while nobody else writes: what it sees is what it changes.
    """

    def __init__(self, file: SystemFile) -> None:
        self._file = file

    def all(self) -> list[Device]:
        """Return every device there ever was, by the time it was added."""
        with self._file.reading() as session:
            return list(session.exec(select(Device).order_by(Device.created, Device.id)))

    def by_id(self, device: str) -> Device:
        """Return one device; :class:`NotFound` when there is none."""
        with self._file.reading() as session:
            found = session.get(Device, device)
        return found if found is not None else _missing()

    def at(self, address: str) -> Device | None:
        """Return the device that has an address (IPv4 or IPv6) of the tunnel now, if any."""
        with self._file.reading() as session:
            here = select(Device).where((col(Device.ipv4) == address) | (col(Device.ipv6) == address))
            return next((device for device in session.exec(here) if device.state != "revoked"), None)

    def add(self, make: Callable[[Sequence[Device]], Device]) -> Device:
        """Add the device that ``make`` returns, given all there are."""
        with self._file.writing() as session:
            added = make(session.exec(select(Device)).all())
            session.add(added)
        return added

    def change(self, device: str, act: Callable[[Device], None]) -> Device:
        """Change one device by ``act``; :class:`NotFound` when there is none."""
        with self._file.writing() as session:
            found = session.get(Device, device) or _missing()
            act(found)
            session.add(found)
        return found

    def tunnel(self) -> Tunnel | None:
        """Return the box's place in the tunnel, if it has one."""
        with self._file.reading() as session:
            return session.get(Tunnel, 1)

    def ensure_tunnel(self, make: Callable[[], Tunnel]) -> Tunnel:
        """Return the box's place in the tunnel, the one that ``make`` returns when there was none."""
        with self._file.writing() as session:
            found = session.get(Tunnel, 1)
            if found is None:
                found = make()
                session.add(found)
        return found

    def change_tunnel(self, act: Callable[[Tunnel], None]) -> Tunnel:
        """Change the box's place in the tunnel by ``act``; :class:`NotFound` when it has none."""
        with self._file.writing() as session:
            found = session.get(Tunnel, 1)
            if found is None:
                raise NotFound("This box has no tunnel yet.", "Start it with NEGATO_TUNNEL=real.")
            act(found)
            session.add(found)
        return found

    def senders(self) -> list[Sender]:
        """Return the equipment that was confirmed or refused, by address."""
        with self._file.reading() as session:
            return list(session.exec(select(Sender).order_by(Sender.address)))

    def decide(self, sender: Sender, check: Callable[[Sequence[Sender]], None]) -> Sender | None:
        """Write down what was decided of a sender and return what was there; ``check`` sees all and may raise."""
        with self._file.writing() as session:
            all_senders = session.exec(select(Sender)).all()
            check(all_senders)
            before = next((Sender(**one.model_dump()) for one in all_senders if one.address == sender.address), None)
            session.merge(sender)
            return before

    def undo_decision(self, address: str, before: Sender | None) -> None:
        """Put back what was decided of an address before: nothing, or another decision."""
        with self._file.writing() as session:
            if before is not None:
                session.merge(before)
            elif (row := session.get(Sender, address)) is not None:
                session.delete(row)


def _missing() -> Device:
    raise NotFound("There is no such device.", "See: appliance device list")
