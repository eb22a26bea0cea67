"""What survives a restart: the network applied last, where each peer was seen, and how late it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appliance.durable import write_durably
from appliance.errors import BadInput, Damaged, EnvironmentProblem, NegatoError
from appliance.logs import log
from appliance.network import line
from appliance.network.desired import MOST_PEERS, DesiredNetwork, from_json, to_json
from appliance.network.wireguard_config import is_endpoint
from appliance.network.wireguard_key import require_key
from appliance.paths import StatePaths


@dataclass(frozen=True, slots=True)
class Applied:
    """What netd keeps up. ``network`` is ``None`` before the first request; without ``tunnel`` only the firewall and
    the confirmed senders of it hold."""

    network: DesiredNetwork | None = None
    tunnel: bool = False

    @property
    def wanted(self) -> DesiredNetwork | None:
        """Return the network if its tunnel is wanted."""
        return self.network if self.tunnel else None


@dataclass(frozen=True, slots=True)
class Seen:
    """Where peers were: ``endpoints`` by public key, which of them were ``online``, at ``saved`` (Unix seconds)."""

    endpoints: dict[str, str] = field(default_factory=dict)
    online: frozenset[str] = frozenset()
    saved: int = 0


def load_applied(paths: StatePaths, listen_port: int) -> Applied:
    """Return the network applied last, with the port as it is set today.

    What cannot be read counts as none, and is logged: the firewall then lets nobody in.
    """
    try:
        with paths.applied_network.open("rb") as file:
            raw = file.read(line.LONGEST + 1)
        stored = line.decode(raw)
        if stored.pop("sha256") != _digest(stored):
            raise Damaged("The network applied last is not as it was written.")
        network = from_json(stored.pop("network"))
        applied = Applied(replace(network, listen_port=listen_port), stored.pop("tunnel") is True)
    except FileNotFoundError:
        return Applied()
    except (OSError, KeyError, NegatoError) as error:
        log("last_network_unreadable", kind=type(error).__name__)
        return Applied()
    return applied


def store_applied(paths: StatePaths, applied: Applied) -> None:
    """Keep ``applied`` durably, 0600: it holds preshared keys. :class:`EnvironmentProblem` when the disk refuses."""
    try:
        if applied.network is None:
            paths.applied_network.unlink(missing_ok=True)
        else:
            content: dict[str, object] = {"tunnel": applied.tunnel, "network": to_json(applied.network)}
            write_durably(paths.applied_network, line.encode(content | {"sha256": _digest(content)}))
    except OSError as error:
        raise EnvironmentProblem(
            f"The network cannot be kept: {error.strerror}.", "Look at the space and the rights of the state."
        ) from error


def _digest(content: Mapping[str, object]) -> str:
    """Return a checksum: with one bit turned a preshared key is a good key as well, and its phone is locked out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def load_seen(paths: StatePaths) -> Seen:
    """Return where peers were seen; nothing when it cannot be read, which costs a phone some seconds."""
    try:
        with paths.endpoints.open("rb") as file:
            stored = line.decode(file.read(line.LONGEST + 1))
        endpoints = {
            require_key(key, "peer"): str(endpoint)
            for key, endpoint in list(stored["endpoints"].items())[:MOST_PEERS]
            if is_endpoint(str(endpoint))
        }
        online = frozenset(key for key in stored["online"] if key in endpoints)
        return Seen(endpoints, online, int(stored["saved"]))
    except FileNotFoundError:
        return Seen()
    except (OSError, KeyError, TypeError, ValueError, AttributeError, BadInput) as error:
        log("endpoints_unreadable", kind=type(error).__name__)
        return Seen()


def store_seen(paths: StatePaths, seen: Seen) -> None:
    """Keep where peers were; raises :class:`OSError`."""
    stored = {"saved": seen.saved, "online": sorted(seen.online), "endpoints": seen.endpoints}
    write_durably(paths.endpoints, json.dumps(stored, separators=(",", ":")).encode("ascii") + b"\n")
