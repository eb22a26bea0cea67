"""The life of devices, carried out: rows in system.db, the network at netd, sessions at the key agent, the record.

Order matters. The record comes first: nothing is done that is not written down. Who is let in is added to system.db
before netd hears of it; who goes is taken from the tunnel before anything else ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from appliance.clock import stamp
from appliance.enrol import claims, life
from appliance.enrol.allot import addresses, require_new_key
from appliance.enrol.emergency import add_emergency
from appliance.enrol.endpoints import Endpoints
from appliance.enrol.handed import HandedTunnel, apple_profile, hand_out
from appliance.enrol.netd import NetdClient
from appliance.enrol.senders import (
    Equipment,
    equipment,
    require_ae_title,
    require_local,
    require_machine,
    require_no_device,
    require_room,
)
from appliance.enrol.wanted import interfaces, new_tunnel, wanted
from appliance.errors import NegatoError
from appliance.network.desired import fingerprint
from appliance.network.netd_wire import PeerStatus, Status
from appliance.network.subnets import RANDOM_BYTES
from appliance.network.wireguard_config import OWN_KEY, require_endpoint
from appliance.people.devices import Devices
from appliance.people.models import Device, Sender, Tunnel
from appliance.people.store import new_id, tidy
from appliance.sealing.tunnel_keys import new_preshared_key, new_private_key, public_key_of

# A device that was seen is written down again after so long: rows are not rewritten at every handshake.
SEEN_SECONDS = 600
RECOVERY_SHEET = "recovery sheet"


class Hand(Protocol):
    """Who acts, as far as others must know: what is recorded, and the end of a device's sessions."""

    def note(self, act: str, device: str, person: str, reason: str = "") -> None:
        """Have an act on a device written down, durably, before it takes effect."""

    def end_device(self, device: str, person: str) -> None:
        """End every session on a device and take its half of the person's key away."""


@dataclass(frozen=True, slots=True)
class Invited:
    """A device that was just invited, and what it is given; nobody can ask for that again.

    ``profile`` is the tunnels for Apple's devices.
    """

    device: Device
    tunnels: list[HandedTunnel]
    profile: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A device with what netd says of it, if netd knows it."""

    device: Device
    peer: PeerStatus | None

    @property
    def last_seen(self) -> int:
        """Return when the device was last heard of as system.db has it, in Unix seconds, 0 for never."""
        return int(datetime.fromisoformat(self.device.last_seen).timestamp()) if self.device.last_seen else 0


class Enrolment:
    """Invites, pauses, revokes. Safe to share between threads and processes."""

    def __init__(
        self, devices: Devices, netd: NetdClient, endpoints: Endpoints, listen_port: int, clock: Callable[[], datetime]
    ) -> None:
        self._devices = devices
        self._netd = netd
        self._endpoints = endpoints
        self._port = listen_port
        self._clock = clock

    def tunnel(self) -> Tunnel:
        """Return the box's place in the tunnel; a box without one draws its subnets now."""
        return self._devices.tunnel() or self._devices.ensure_tunnel(
            lambda: new_tunnel(secrets.token_bytes(RANDOM_BYTES), self._devices.senders())
        )

    def apply(self) -> Status:
        """Ask netd for the network as system.db has it now."""
        tunnel, now = self.tunnel(), stamp(self._clock())
        return self._netd.apply(wanted(tunnel, self._devices.all(), self._devices.senders(), self._port, now))

    def invite(
        self,
        hand: Hand,
        person: str,
        name: str,
        kind: str,
        public_key: str = "",
        days: int = 0,
        wifi: Sequence[str] = (),
        reach: str = "pages",
    ) -> Invited:
        """Let a device in for ten minutes, in which it must be seen.

        ``public_key`` is that of a key which the device made itself; without one a key is made here, handed out once
        and not kept. ``wifi`` names the practice's own networks, for Apple's devices. :class:`BadInput` for a full
        tunnel, a bad name or kind, a key that another device has.
        """
        kept_kind, kept_name, moment = life.require_kind(kind), tidy(name), self._clock()
        tunnel, box_key = self.endpoints(), self._netd.server_public_key()
        private_key = OWN_KEY if public_key else new_private_key()
        given = public_key or public_key_of(private_key)
        fresh = Device(
            id=new_id(), person=person, name=kept_name, kind=kept_kind, public_key=given,
            preshared_key=new_preshared_key(), ipv4="", ipv6="", reach=reach, state="invited", created=stamp(moment),
            invitation_ends=stamp(moment + life.INVITATION), expires=life.expiry(days, moment),
        )  # fmt: skip

        tunnels: list[HandedTunnel] = []

        def place(others: object) -> Device:
            rows = list(others)  # type: ignore[call-overload]
            require_new_key(given, box_key, rows)
            ipv4, ipv6 = addresses(*interfaces(tunnel), rows)
            fresh.ipv4, fresh.ipv6 = str(ipv4), str(ipv6)
            # What cannot be handed out must not be invited; and the record comes before the row.
            tunnels.extend(hand_out(fresh, tunnel, box_key, private_key))
            apple_profile(tunnels, fresh, wifi)
            hand.note("invite", fresh.id, person)
            return fresh

        added = self._devices.add(place)
        try:
            self.apply()
        except NegatoError:
            # An invitation that the tunnel does not know would be shown for nothing.
            self._devices.change(added.id, _revoke)
            raise
        return Invited(added, tunnels, apple_profile(tunnels, added, wifi))

    @contextmanager
    def withdrawn_on_failure(self, hand: Hand, device: str) -> Iterator[None]:
        """Let an invited device out again if what is done in the context fails: its keys did not reach it."""
        try:
            yield
        except BaseException:
            with suppress(NegatoError):
                self.revoke(hand, device)
            raise

    def renew_emergency(self, hand: Hand, keep: Callable[[str], None]) -> None:
        """Make the recovery sheet's own peer anew; ``keep`` writes its text down.

        The peer of an older sheet is out once the new one lies there; if that fails it stays the one that counts.
        """
        tunnel, box_key = self.endpoints(), self._netd.server_public_key()
        hand.note("invite", "", "", RECOVERY_SHEET)
        fresh, handed = add_emergency(self._devices, tunnel, box_key, self._clock())
        with self.withdrawn_on_failure(hand, fresh.id):
            self.apply()
            keep(handed[0].text)
        for other in self._devices.all():
            if other.reach == "recovery" and other.state != "revoked" and other.id != fresh.id:
                self._devices.change(other.id, _revoke)
        self.apply()

    def pause(self, hand: Hand, device: str) -> Device:
        """Let a device out until it is resumed; its sessions end, its browser stays claimed."""
        found = self._devices.by_id(device)
        life.after(found.state, "pause")
        hand.note("pause", device, found.person)
        return self._let_out(hand, device, _step("pause"), keep_half=True)

    def resume(self, hand: Hand, device: str) -> Device:
        """Let a paused device in again."""
        found = self._devices.by_id(device)
        life.after(found.state, "resume")
        hand.note("resume", device, found.person)
        changed = self._devices.change(device, _step("resume"))
        self.apply()
        return changed

    def revoke(self, hand: Hand, device: str) -> Device:
        """Let a device out for good: tunnel, sessions, claim, its half of the key. Harmless when that was done."""
        found = self._devices.by_id(device)
        hand.note("revoke", device, found.person)
        return self._let_out(hand, device, _revoke)

    def rename(self, hand: Hand, device: str, name: str) -> Device:
        """Give a device another name."""
        found, kept = self._devices.by_id(device), tidy(name)
        hand.note("rename", device, found.person)
        return self._devices.change(device, lambda row: setattr(row, "name", kept))

    def reopen(self, hand: Hand, device: str) -> Device:
        """Let another browser of a device be claimed within the hour; the one before is out at once."""
        found, ends = self._devices.by_id(device), stamp(self._clock() + life.CLAIM)
        hand.note("reopen", device, found.person)
        changed = self._devices.change(device, lambda row: claims.reopen(row, ends))
        hand.end_device(device, found.person)
        return changed

    def look(self, hand: Hand) -> tuple[Status, bool]:
        """Ask netd once and write down what follows; return its answer, and whether anything changed.

        First handshakes end invitations; what has lapsed or expired goes; a network that is not the wanted one is
        asked for again.
        """
        moment = self._clock()
        now, status, changed = stamp(moment), self._netd.status(), False
        peers = {peer.public_key: peer for peer in status.peers}
        for device in self._devices.all():
            peer = peers.get(device.public_key)
            if device.state == "invited" and peer is not None and peer.latest_handshake:
                self.seen(hand, device.id)
                changed = True
            elif device.state != "revoked" and life.is_over(device, now):
                hand.note("expired", device.id, device.person)
                self._let_out(hand, device.id, _revoke)
                changed = True
            elif device.state == "active" and peer is not None and _is_news(device, peer.latest_handshake):
                at = stamp(datetime.fromtimestamp(peer.latest_handshake, moment.tzinfo))
                self._devices.change(device.id, lambda row, at=at: setattr(row, "last_seen", at))  # type: ignore[misc]
        network = wanted(self.tunnel(), self._devices.all(), self._devices.senders(), self._port, now)
        if not status.up or status.applied != fingerprint(network):
            status = self._netd.apply(network)
        return status, changed

    def seen(self, hand: Hand, device: str) -> Device:
        """Write down that a device came through the tunnel: its invitation is used up, its browser may be claimed."""
        moment = self._clock()
        now, ends = stamp(moment), stamp(moment + life.CLAIM)
        found = self._devices.by_id(device)
        if found.state != "invited":
            return found
        hand.note("seen", device, found.person)

        def arrive(row: Device) -> None:
            if row.state != "invited":
                return
            row.state, row.first_handshake, row.last_seen = life.after(row.state, "seen"), now, now
            row.invitation_ends, row.claim_ends = "", ends

        return self._devices.change(device, arrive)

    def claim(self, hand: Hand, device: str, share: Callable[[str], None] = lambda _secret: None) -> str:
        """Claim the browser that asks from a device; return its secret. A second claim is refused and alarms.

        ``share`` lets the holder of the secret have the person's half of the key, and may refuse.
        """
        secret, now = claims.new_secret(), stamp(self._clock())
        found = self._devices.by_id(device)
        if not life.may_claim(found, now):
            hand.note("claim_refused", device, found.person)
            self._devices.change(device, lambda row: setattr(row, "suspicious", True))
        else:
            share(secret)
            hand.note("claim", device, found.person)
        self._devices.change(device, lambda row: claims.claim(row, secret, now))
        return secret

    def renew(self, device: str, shown: str, fresh: str) -> Device:
        """Give the claimed browser a fresh secret; :class:`NotClaimed` for another one."""
        now = stamp(self._clock())
        return self._devices.change(device, lambda row: claims.renew(row, shown, fresh, now))

    def has_open_invitation(self) -> bool:
        """Return whether a device may still be seen for the first time."""
        now = stamp(self._clock())
        return any(device.state == "invited" and not life.is_over(device, now) for device in self._devices.all())

    def listing(self) -> list[Seen]:
        """Return every device that is not revoked, with what netd says of it; without netd, with nothing."""
        try:
            peers = {peer.public_key: peer for peer in self._netd.status().peers}
        except NegatoError:
            peers = {}
        here = [device for device in self._devices.all() if device.state != "revoked"]
        return [Seen(device, peers.get(device.public_key)) for device in here]

    def differences(self) -> tuple[str, ...]:
        """Return in words where tunnel and firewall are not as they were asked for; raises when netd does not tell."""
        return self._netd.status().differences

    def equipment(self) -> list[Equipment]:
        """Return the equipment that was decided on, and what knocked unknown in the last hour."""
        return equipment(self._devices.senders(), self._netd.status().unknown_senders)

    def decide(self, hand: Hand, address: str, confirm: bool, name: str = "", ae_title: str = "") -> None:
        """Let an address of the practice's network send images, or refuse it.

        Confirmed is what the firewall lets in: if netd cannot be told, what was decided before stays. A refusal stays
        written down, and holds once the tunnel is looked after again (:meth:`look`).
        """
        kept, now, local = require_local(address), stamp(self._clock()), self._local()
        sender = Sender(
            address=kept, name=tidy(name) if confirm else name.strip()[:64], ae_title=require_ae_title(ae_title),
            state="confirmed" if confirm else "refused", decided=now,
        )  # fmt: skip

        def check(senders: object) -> None:
            if confirm:
                require_no_device(kept, *interfaces(self.tunnel()))
                require_machine(kept, local)
                require_room(list(senders), kept)  # type: ignore[call-overload]
            hand.note("confirm" if confirm else "refuse", "", "", kept)

        before = self._devices.decide(sender, check)
        try:
            self.apply()
        except NegatoError:
            if confirm:
                self._devices.undo_decision(kept, before)
            raise

    def endpoints(self) -> Tunnel:
        """Return the box's place in the tunnel with the endpoints that new devices would be told."""
        return self._endpoints.fill(self.tunnel())

    def set_endpoints(self, outside: str | None, inside: str | None) -> Tunnel:
        """Write down where devices find the box; ``None`` leaves one as it is, an empty text forgets it."""
        outside = require_endpoint(outside, "outside") if outside else outside
        inside = require_endpoint(inside, "cabinet") if inside else inside

        def write(row: Tunnel) -> None:
            row.outside = row.outside if outside is None else outside
            row.inside = row.inside if inside is None else inside

        self.tunnel()
        return self._devices.change_tunnel(write)

    def _local(self) -> tuple[str, ...]:
        """Return the box's own addresses as netd tells them; none when it does not: what follows will say so."""
        try:
            return self._netd.status().local
        except NegatoError:
            return ()

    def _let_out(self, hand: Hand, device: str, act: Callable[[Device], None], keep_half: bool = False) -> Device:
        """Take a device from the tunnel, then end its sessions, whatever netd says to it."""
        changed = self._devices.change(device, act)
        try:
            self.apply()
        finally:
            hand.end_device(device, "" if keep_half else changed.person)
        return changed


def _step(act: life.Act) -> Callable[[Device], None]:
    return lambda row: setattr(row, "state", life.after(row.state, act))


def _revoke(row: Device) -> None:
    row.state, row.invitation_ends, row.preshared_key = life.after(row.state, "revoke"), "", ""
    claims.forget(row)


def _is_news(device: Device, handshake: int) -> bool:
    return handshake - Seen(device, None).last_seen > SEEN_SECONDS
