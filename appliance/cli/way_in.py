"""``appliance way-in``: how the internet reaches the box's one port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import typer

from appliance import clock
from appliance.cli.enrolment import enrolment_desk, way_ins
from appliance.cli.options import Json, State
from appliance.cli.words import ago
from appliance.enrol.way_in import WayIn
from appliance.errors import EnvironmentProblem
from appliance.network.courier_wire import Report
from appliance.network.way_in import Verdict
from appliance.settings import read_settings

LOOK_SECONDS = 90.0
PAUSE_SECONDS = 0.2

# What each verdict means, and what to do.
MEANS: dict[Verdict, tuple[str, str]] = {
    "no_router": ("This machine has no way to the internet.", "Plug the network cable into the router."),
    "direct": ("This machine has a public address itself; no router stands before it.", ""),
    "mapped": ("The router lets the port through.", ""),
    "other_port": (
        "The router lets another port than the usual one through: this line has only some of them, or another machine "
        "has it. That is enough.",
        "Nothing to do. Devices are told the other port.",
    ),
    "carrier_nat": (
        "Your provider shares one public address among many lines, so nothing from outside arrives at yours.",
        "Ask the provider for a public IPv4 address of your own (Orange: a switch in the customer area; Free: "
        "'IP full-stack').",
    ),
    "double_nat": (
        "Another router stands between yours and the internet.",
        "On the other router, let the port through to yours as well, or ask the provider to switch it to bridge mode.",
    ),
    "no_public_address": (
        "Your router has no public address, and does not say why.",
        "Ask the provider for a public IPv4 address of your own; if another router stands before yours, let the port "
        "through there as well.",
    ),
    "refused": (
        "The router was asked to let the port through, and does not want to.",
        "Allow UPnP in the router, or add the rule by hand: see docs/way-in.md. One UDP port, never the DMZ.",
    ),
    "silent": (
        "The router does not answer when it is asked to let the port through.",
        "Allow UPnP in the router, or add the rule by hand: see docs/way-in.md. One UDP port, never the DMZ.",
    ),
    "contradicts": (
        "The router says one thing and does another; nothing it says is relied on.",
        "Restart the router, then look again; or add the rule by hand: see docs/way-in.md.",
    ),
}

app = typer.Typer(
    help="The way in: how the internet reaches the box's one port.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def status(state: State = None, as_json: Json = False) -> None:
    """Tell what is known, and whether a device has really come in from outside."""
    with enrolment_desk(state) as desk:
        found = desk.way_in.state(desk.enrolment)
    _tell(found, as_json)


@app.command()
def look(state: State = None, as_json: Json = False) -> None:
    """Have the router asked again, and wait for what comes of it."""
    with enrolment_desk(state) as desk:
        _look(desk.way_in.report, desk.way_in.look)
        found = desk.way_in.state(desk.enrolment)
    _tell(found, as_json)


@app.command()
def address(state: State = None) -> None:
    """Print the practice's public IPv4 address alone, for a client of dynamic DNS."""
    settings = read_settings(state=state)
    report = way_ins(settings).report()
    found = report.outside4.rpartition(":")[0] if report is not None else ""
    if not found:
        raise EnvironmentProblem("No public address is known.", "See: appliance way-in status")
    print(found)


def _look(report: Callable[[], Report | None], again: Callable[[], None]) -> None:
    before = report()
    if before is None:
        raise EnvironmentProblem("The courier does not run.", "Set NEGATO_COURIER=real and start the appliance.")
    again()
    deadline = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < deadline:
        found = report()
        if found is not None and not found.looking:
            return
        time.sleep(PAUSE_SECONDS)
    raise EnvironmentProblem("The router keeps the courier waiting.", "See: appliance way-in status")


def _tell(found: WayIn, as_json: bool) -> None:
    report = found.report
    if as_json:
        print(json.dumps(asdict(found)))
        return
    print(f"devices are told: {found.outside or 'not known'}")
    now = int(clock.now().timestamp())
    if found.reached:
        print(f"reachable: yes, a device came in from outside {ago(found.reached, now)}")
    else:
        print("reachable: not proved; connect a phone over 4G, away from the practice's Wi-Fi")
    if report is None:
        print("router: nobody asks it (NEGATO_COURIER)")
        return
    said, step = MEANS[report.verdict]
    print(f"router: {said}{' (looking again)' if report.looking else ''}")
    if step:
        print(f"  -> {step}")
    for one in report.tried:
        print(f"  {one.protocol:<8} {one.outcome}{f' ({one.said})' if one.said else ''}")
    if report.outside6:
        print(f"IPv6: the router lets {report.outside6} through")
    if found.stale:
        print(f"The way in changed from {report.former} to {report.outside4}.")
        print(f"  -> Set up anew, or change the endpoint to {found.outside} on: {', '.join(found.stale)}")
