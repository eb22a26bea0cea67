"""``appliance device``: phones and computers that come in through the tunnel."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance import clock
from appliance.cli.enrolment import Desk, enrolment_desk
from appliance.cli.new_files import NewFiles, new_files
from appliance.cli.options import Json, State
from appliance.cli.words import ago, size
from appliance.errors import BadInput, Refused

if TYPE_CHECKING:
    from appliance.enrol.enrolment import Invited, Seen
    from appliance.enrol.handed import HandedTunnel

app = typer.Typer(
    help="Devices: phones and computers that come in through the tunnel.", no_args_is_help=True, rich_markup_mode=None
)
Named = Annotated[str, typer.Argument(help="Name or id of the device, as appliance device list shows it.")]
LOOK_SECONDS = 0.5


@app.command()
def add(
    person: Annotated[str, typer.Option(help="Whose device it is: the name that logs in.")],
    name: Annotated[str, typer.Option(help="What the device is called in the list.")],
    kind: Annotated[str, typer.Option(help="phone, computer or practice_pc (one that several people use).")] = "phone",
    public_key: Annotated[
        str, typer.Option(help="Public key that the device made itself; its private one stays.")
    ] = "",
    qr: Annotated[Path | None, typer.Option(help="New file for the QR code, .png or .svg.")] = None,
    out: Annotated[Path | None, typer.Option(help="New file for the WireGuard app or wg-quick, .conf.")] = None,
    profile: Annotated[Path | None, typer.Option(help="New file for Apple devices, .mobileconfig.")] = None,
    wifi: Annotated[list[str] | None, typer.Option(help="Name of the practice's Wi-Fi, for the Apple profile.")] = None,
    cabinet: Annotated[
        bool, typer.Option("--cabinet", help="Show the tunnel for use at the practice as well.")
    ] = False,
    days: Annotated[int, typer.Option(help="Let the device in for so many days; 0 for good.")] = 0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not follow the invitation.")] = False,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Let a device in: scan the QR code with its WireGuard app within ten minutes. Keys are shown once and not kept.

    With --cabinet a second tunnel with the same key is shown, and its files get -cabinet in their names.
    """
    _suffixes((qr, (".png", ".svg")), (out, (".conf",)), (profile, (".mobileconfig",)))
    beside = [_beside(file, 1) for file in (qr, out)] if cabinet else []
    with enrolment_desk(state) as desk:
        whose = desk.person(person)
        with new_files(qr, out, profile, *beside) as files:
            invited = desk.enrolment.invite(desk.hand, whose, name, kind, public_key, days, wifi or ())
            url = f"http://{desk.enrolment.tunnel().ipv4.partition('/')[0]}/"
            with desk.enrolment.withdrawn_on_failure(desk.hand, invited.device.id):
                shown = invited.tunnels if cabinet else invited.tunnels[:1]
                for number, tunnel in enumerate(shown):
                    places = _beside(qr, number), _beside(out, number)
                    _hand_out(files, tunnel, *places, quiet=as_json, own_key=bool(public_key))
                if profile is not None:
                    files.write(profile, invited.profile)
                if as_json:
                    print(json.dumps(_told(invited, url)), flush=True)
                files.count = True
        if not no_wait:
            _follow(desk, invited.device.id, name, url, quiet=as_json)


@app.command("list")
def list_devices(state: State = None, as_json: Json = False) -> None:
    """List devices: whose, let in or not, last handshake, traffic since the tunnel came up."""
    with enrolment_desk(state) as desk:
        names = {person.id: person.name for person in desk.people.everybody()}
        rows = [_row(seen, names) for seen in desk.enrolment.listing()]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    now = int(clock.now().timestamp())
    for row in rows:
        seen = ago(int(row["handshake"]), now)
        traffic = f"{size(int(row['received']))} in, {size(int(row['sent']))} out"
        alarm = "  ALARM: a second browser tried to claim it" if row["suspicious"] else ""
        print(f"{row['id']}  {row['name']:<20} {row['person']:<20} {row['state']:<8} {seen:<18} {traffic}{alarm}")


@app.command()
def pause(device: Named, state: State = None) -> None:
    """Let a device out until it is resumed; its sessions end at once."""
    with enrolment_desk(state) as desk:
        desk.enrolment.pause(desk.hand, desk.device(device).id)
    print(f"{device} is paused.")


@app.command()
def resume(device: Named, state: State = None) -> None:
    """Let a paused device in again; it has to do nothing."""
    with enrolment_desk(state) as desk:
        desk.enrolment.resume(desk.hand, desk.device(device).id)
    print(f"{device} is let in again.")


@app.command()
def revoke(device: Named, state: State = None) -> None:
    """Let a device out for good, a lost phone for example: tunnel, sessions and its half of the key end at once."""
    with enrolment_desk(state) as desk:
        desk.enrolment.revoke(desk.hand, desk.device(device).id)
    print(f"{device} is out.")


@app.command()
def rename(device: Named, name: Annotated[str, typer.Argument(help="The new name.")], state: State = None) -> None:
    """Give a device another name."""
    with enrolment_desk(state) as desk:
        desk.enrolment.rename(desk.hand, desk.device(device).id, name)
    print(f"{device} is called {name} now.")


@app.command()
def reopen(device: Named, state: State = None) -> None:
    """Let another browser of a device be claimed within the hour, after its cookies were cleared for example."""
    with enrolment_desk(state) as desk:
        desk.enrolment.reopen(desk.hand, desk.device(device).id)
    print(f"The next browser that opens the page on {device} within the hour is let in; the one before is out.")


@app.command()
def recovery(
    out: Annotated[
        Path, typer.Option(help="New file for the page of the emergency tunnel: .pdf to print it, or .txt.")
    ],
    state: State = None,
) -> None:
    """Make the recovery sheet's emergency tunnel anew, after the box's address changed for example.

    The page goes to the sheet in the safe; the tunnel of the page before leads nowhere from now on.
    """
    from appliance.upkeep.recovery_kit import tunnel_page
    from appliance.upkeep.recovery_pdf import tunnel_as_pdf

    _suffixes((out, (".pdf", ".txt")))
    render = tunnel_as_pdf if out.suffix.lower() == ".pdf" else tunnel_page
    with enrolment_desk(state) as desk, new_files(out) as files:

        def keep(text: str) -> None:
            files.write(out, render(text, clock.now()))
            files.count = True

        desk.enrolment.renew_emergency(desk.hand, keep)
    print(f"Print {out}, put it to the recovery sheet, then delete the file.")


@app.command()
def endpoint(
    outside: Annotated[str | None, typer.Option(help="HOST:PORT at which the internet reaches the box.")] = None,
    cabinet: Annotated[str | None, typer.Option(help="HOST:PORT of the box on the practice's network.")] = None,
    state: State = None,
) -> None:
    """Say where devices find the box; devices that are let in from now on are told. An empty text forgets one."""
    with enrolment_desk(state) as desk:
        if outside is not None or cabinet is not None:
            desk.hand.note("endpoints", "", "")
            desk.enrolment.set_endpoints(outside, cabinet)
        found = desk.enrolment.endpoints()
    print(f"outside: {found.outside or 'not known'}")
    print(f"cabinet: {found.inside or 'not known'}")


def _follow(desk: Desk, device: str, name: str, url: str, quiet: bool) -> None:
    """Look until the device was seen; :class:`Refused` when the invitation lapsed before."""
    if not quiet:
        print("Waiting for the device, ten minutes at most. Ctrl-C stops waiting, not the invitation.", flush=True)
    while True:
        desk.enrolment.look(desk.hand)
        state = desk.devices.by_id(device).state
        if state == "active":
            break
        if state != "invited":
            raise Refused(f"{name} was not seen in time; the invitation is over.", "Add the device again.")
        time.sleep(LOOK_SECONDS)
    if quiet:
        print(json.dumps({"device": device, "state": "active"}), flush=True)
    else:
        print(f"{name} was seen. Open {url} on it within the hour: its browser is let in there, once.", flush=True)


def _hand_out(
    files: NewFiles, tunnel: HandedTunnel, qr: Path | None, out: Path | None, quiet: bool, own_key: bool
) -> None:
    from appliance.network.qr import qr_png, qr_svg, qr_text

    if qr is not None and not own_key:
        files.write(qr, qr_png(tunnel.text) if qr.suffix == ".png" else qr_svg(tunnel.text))
    if out is not None:
        files.write(out, tunnel.text.encode("ascii"))
    if quiet:
        return
    print(f"{tunnel.name}: {tunnel.tunnel.endpoint}")
    if own_key:
        print(tunnel.text if out is None else f"Put the device's private key into {out}.", flush=True)
    elif qr is None and out is None:
        print(qr_text(tunnel.text), flush=True)


def _told(invited: Invited, url: str) -> dict[str, object]:
    device = invited.device
    return {
        "device": device.id, "ipv4": device.ipv4, "ipv6": device.ipv6, "public_key": device.public_key,
        "invitation_ends": device.invitation_ends, "url": url, "tunnels": [one.name for one in invited.tunnels],
    }  # fmt: skip


def _row(seen: Seen, names: dict[str, str]) -> dict[str, str | int | bool]:
    device, peer = seen.device, seen.peer
    return {
        "id": device.id, "name": device.name, "person": names.get(device.person, ""), "kind": device.kind,
        "state": device.state, "reach": device.reach, "ipv4": device.ipv4, "ipv6": device.ipv6,
        "public_key": device.public_key, "created": device.created, "first_handshake": device.first_handshake,
        "handshake": max(peer.latest_handshake if peer else 0, seen.last_seen), "received": peer.rx if peer else 0,
        "sent": peer.tx if peer else 0, "endpoint": peer.endpoint if peer else "", "expires": device.expires,
        "claimed": bool(device.claimed_at), "suspicious": device.suspicious,
    }  # fmt: skip


def _suffixes(*files: tuple[Path | None, tuple[str, ...]]) -> None:
    for file, known in files:
        if file is not None and file.suffix.lower() not in known:
            raise BadInput(f"{file} is of no kind that is written here.", f"Name a file that ends in {known[0]}.")


def _beside(file: Path | None, number: int) -> Path | None:
    if file is None or number == 0:
        return file
    return file.with_name(f"{file.stem}-cabinet{file.suffix}")
