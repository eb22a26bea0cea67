"""The tunnel and the firewall of a box: every change is tried, made, read back, and undone when a part of it fails."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from appliance.errors import NegatoError
from appliance.logs import log
from appliance.netd import firewall, link
from appliance.netd.applied import Applied, Seen, load_applied, load_seen, store_applied, store_seen
from appliance.netd.programs import find, run
from appliance.netd.server_key import ServerKey
from appliance.netd.table import require_ours
from appliance.network import nft_listing, wg_dump
from appliance.network.desired import INTERFACE, DesiredNetwork, fingerprint
from appliance.network.netd_wire import Status
from appliance.network.nft_listing import Listing
from appliance.network.wg_dump import Dump
from appliance.network.wireguard_config import is_endpoint, server_config
from appliance.paths import StatePaths

# WireGuard gives up a session after so long (REJECT_AFTER_TIME, white paper 6.1): who shook hands since is online.
ONLINE_SECONDS = 180
WATCH_SECONDS = 10
KEEP_SECONDS = 60
CLOCK_SECONDS = 3600
CLOCK_SLACK_SECONDS = 60
DISCARD = 9


class RealTunnel:
    """A :class:`~appliance.netd.tunnel.Tunnel` of this machine."""

    def __init__(self, paths: StatePaths, key: ServerKey, listen_port: int) -> None:
        self._paths = paths
        self._key = key
        self._port = listen_port
        self._applied = Applied()
        self._seen = Seen()
        self._loaded: Listing | None = None
        self._earlier = 0
        self._watched = self._kept = time.monotonic()

    def start(self) -> None:
        """Close the firewall, then put back the tunnel.

        Raises when the firewall cannot be closed. A tunnel that cannot be put back shows in the differences and is
        tried again every minute: meanwhile the box is closed and takes requests.
        """
        self._key.make_sure()
        self._applied = load_applied(self._paths, self._port)
        self._seen = load_seen(self._paths)
        self._earlier = self._seen.saved
        self._load_firewall(firewall.try_out(self._senders(), self._applied.wanted))
        self._put_back()

    def status(self) -> Status:
        """Read back interface, peers and firewall."""
        moment = time.time()
        found, dump = firewall.listing(moment), self._dump()
        local, wanted = link.local(), self._applied.wanted
        meetings = link.meetings(wanted, local) if wanted else []
        differences = [*self._differences(found, dump), *meetings, *self._clock_behind(moment)]
        return Status(
            up=dump is not None and link.is_up(INTERFACE),
            listen_port=dump.listen_port if dump else 0,
            peers=tuple(peer.status for peer in dump.peers) if dump else (),
            unknown_senders=tuple(found.unknown_senders) if found else (),
            outsiders=tuple(found.outsiders) if found else (),
            differences=tuple(differences),
            applied=fingerprint(wanted),
            local=tuple(map(str, local)),
        )

    def apply(self, network: DesiredNetwork) -> Status:
        """Make ``network`` so: firewall tried, intent kept, interface, peers, addresses, firewall, in this order."""
        require_ours(network, self._port)
        find("wg")
        ruleset = firewall.try_out(network.senders, network)
        self._change(Applied(network, tunnel=True), ruleset)
        return self.status()

    def disable_all(self) -> Status:
        """Take the tunnel away; who may send images stays."""
        ruleset = firewall.try_out(self._senders(), None)
        network = self._applied.network
        self._change(Applied(replace(network, peers=()) if network else None), ruleset)
        return self.status()

    def server_public_key(self) -> str:
        """Return the box's public key (base64)."""
        return self._key.public()

    def tick(self) -> None:
        """Every ten seconds: put back what somebody else changed. Once a minute: keep where the peers are."""
        now = time.monotonic()
        if now - self._watched >= WATCH_SECONDS:
            self._watched = now
            if differences := self._differences(firewall.listing(time.time()), self._dump()):
                log("network_changed_by_another", differences=differences)
                self._load_firewall(firewall.try_out(self._senders(), self._applied.wanted))
                self._put_back()
        if now - self._kept >= KEEP_SECONDS:
            self._kept = now
            self._keep_seen()

    def stop(self) -> None:
        """Keep where the peers are; the tunnel goes on without netd."""
        self._keep_seen()

    def _change(self, target: Applied, ruleset: str) -> None:
        before, made = self._applied, False
        # Kept first: a network that holds now and is not kept would bring back a revoked phone at the next start.
        store_applied(self._paths, target)
        try:
            if target.wanted is None:
                link.remove(INTERFACE)
            else:
                made = link.make(INTERFACE)
                self._configure(target.wanted, {})
            self._load_firewall(ruleset)
        except BaseException:
            self._go_back(before, made)
            raise
        self._applied = target

    def _go_back(self, before: Applied, made: bool) -> None:
        with contextlib.suppress(NegatoError):
            store_applied(self._paths, before)
        try:
            if before.wanted is None:
                if made:
                    link.remove(INTERFACE)
            else:
                self._bring_up(before.wanted)
        except NegatoError as error:
            log("not_gone_back", reason=error.message)

    def _put_back(self) -> None:
        if self._applied.wanted is None:
            return
        try:
            self._bring_up(self._applied.wanted)
        except NegatoError as error:
            log("tunnel_not_put_back", reason=error.message)

    def _bring_up(self, network: DesiredNetwork) -> None:
        """Make the interface and all of it; a fresh one is told where its peers were, and calls those just online."""
        made = link.make(INTERFACE)
        # One that is there knows better than our file where its peers are.
        self._configure(network, self._seen.endpoints if made else {})
        if made:
            self._call(network)

    def _configure(self, network: DesiredNetwork, endpoints: dict[str, str]) -> None:
        config = server_config(network, self._key.private(), endpoints)
        run("wg", "syncconf", INTERFACE, "/dev/stdin", stdin=config)
        link.configure(network)

    def _call(self, network: DesiredNetwork) -> None:
        """Make WireGuard shake hands with the peers that were online: a phone would notice after 15 s at the soonest
        that its session is gone (KEEPALIVE + REKEY_TIMEOUT, white paper 6.5), and a page that only listens never."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for peer in network.peers:
                if peer.public_key in self._seen.online:
                    with contextlib.suppress(OSError):
                        sender.sendto(b"", (str(peer.ipv4), DISCARD))

    def _load_firewall(self, ruleset: str) -> None:
        firewall.load(ruleset)
        self._loaded = firewall.listing(time.time())

    def _dump(self) -> Dump | None:
        try:
            return wg_dump.parse_dump(run("wg", "show", INTERFACE, "dump")) if link.exists(INTERFACE) else None
        except NegatoError:
            return None

    def _senders(self) -> tuple[IPv4Address | IPv6Address, ...]:
        return self._applied.network.senders if self._applied.network else ()

    def _differences(self, found: Listing | None, dump: Dump | None) -> list[str]:
        wanted = self._applied.wanted
        texts = ["The firewall is missing."]
        if found is not None:
            texts = nft_listing.compare(self._senders(), wanted, self._loaded, found)
        if wanted is not None:
            texts += link.differences(wanted)
            if dump is not None:
                texts += wg_dump.compare(wanted, self._key.public(), dump)
        elif link.is_up(INTERFACE):
            texts.append("There is a tunnel although none is wanted.")
        return texts

    def _clock_behind(self, moment: float) -> list[str]:
        behind = self._earlier - moment
        if behind <= CLOCK_SLACK_SECONDS:
            return []
        return [f"The clock of the box is {behind / 3600:.1f} hours behind what it was before the restart."]

    def _keep_seen(self) -> None:
        dump = self._dump()
        if dump is None:
            return
        now = time.time()
        # A peer on the box's own cable is found by its next packet: its address there means nothing elsewhere.
        peers = [peer.status for peer in dump.peers if is_endpoint(peer.status.endpoint)]
        endpoints = {peer.public_key: peer.endpoint for peer in peers}
        online = frozenset(peer.public_key for peer in peers if now - peer.latest_handshake < ONLINE_SECONDS)
        # A card or a disk lives longer when nothing is written while nothing changes.
        same = (endpoints, online) == (self._seen.endpoints, self._seen.online)
        if same and 0 <= now - self._seen.saved < CLOCK_SECONDS:
            return
        seen = Seen(endpoints, online, int(now))
        try:
            store_seen(self._paths, seen)
        except OSError as error:
            log("endpoints_not_kept", errno=error.errno)
        else:
            self._seen = seen
