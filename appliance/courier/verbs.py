"""From one line to the answer: the table of verbs."""

from __future__ import annotations

from appliance.courier.keeper import Keeper
from appliance.network import courier_wire


def respond(keeper: Keeper, raw: bytes) -> bytes:
    """Return the line that answers ``raw``; raises :class:`~appliance.errors.NegatoError` for what is refused."""
    table = {"status": keeper.report, "look": keeper.look}
    return courier_wire.encode_report(table[courier_wire.decode_request(raw)]())
