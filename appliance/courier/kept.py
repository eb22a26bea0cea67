"""What the courier knows after a restart: whose the mapping is, at which port, the router's addresses."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace

from appliance.durable import write_durably
from appliance.errors import BadInput
from appliance.logs import log
from appliance.network import line
from appliance.network.pcp import NONCE_BYTES
from appliance.paths import StatePaths


@dataclass(frozen=True, slots=True)
class Kept:
    """``nonce`` (hex) owns mappings made by PCP: with another one the router refuses until they lapse. ``port`` is the
    one let through last, 0 for none yet. ``address`` is ADDRESS:PORT outside since ``since`` (Unix seconds), ``former``
    the one before."""

    nonce: str
    port: int = 0
    address: str = ""
    since: int = 0
    former: str = ""

    def at(self, address: str, now: int) -> Kept:
        """Return this with the endpoint outside as it is ``now``; an unknown one changes nothing."""
        if not address or address == self.address:
            return self
        return replace(self, address=address, since=now, former=self.address)


def load(paths: StatePaths) -> Kept:
    """Return what was kept; what cannot be read is made afresh."""
    try:
        with paths.way_in.open("rb") as file:
            stored = line.decode(file.read(line.LONGEST + 1))
        found = Kept(
            str(stored["nonce"]),
            int(stored["port"]),
            str(stored["address"]),
            int(stored["since"]),
            str(stored["former"]),
        )
        if len(bytes.fromhex(found.nonce)) == NONCE_BYTES and 0 <= found.port <= 65535:
            return found
    except FileNotFoundError:
        pass
    except (OSError, KeyError, TypeError, ValueError, BadInput) as error:
        log("way_in_unreadable", kind=type(error).__name__)
    return Kept(secrets.token_hex(NONCE_BYTES))


def store(paths: StatePaths, kept: Kept) -> None:
    """Keep it durably; a disk that refuses is logged: the way in is worth more than its memory."""
    try:
        paths.courier.mkdir(mode=0o700, exist_ok=True)
        write_durably(paths.way_in, json.dumps(asdict(kept)).encode("ascii") + b"\n")
    except OSError as error:
        log("way_in_not_kept", errno=error.errno)
