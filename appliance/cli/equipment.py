"""``appliance equipment``: which addresses of the practice's network may send images."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.enrolment import enrolment_desk
from appliance.cli.options import Json, State
from appliance.cli.words import ago

app = typer.Typer(
    help="Equipment: which addresses of the practice's network may send images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Address = Annotated[str, typer.Argument(help="Its address on the practice's network, for example 192.168.1.40.")]


@app.command("list")
def list_equipment(state: State = None, as_json: Json = False) -> None:
    """List what was confirmed or refused, and what knocked unknown in the last hour."""
    with enrolment_desk(state) as desk:
        rows = [asdict(one) for one in desk.enrolment.equipment()]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    now = int(clock.now().timestamp())
    for row in rows:
        knocked = f"tried {ago(row['last'], now)}, {row['packets']} packets" if row["last"] else ""
        print(f"{row['address']:<40} {row['state']:<10} {row['name']:<24} {row['ae_title']:<16} {knocked}".rstrip())


@app.command()
def confirm(
    address: Address,
    name: Annotated[str, typer.Option(help="What it is called, for example Panoramic, room 2.")],
    ae_title: Annotated[str, typer.Option(help="The AE title it calls itself; for the list alone.")] = "",
    state: State = None,
) -> None:
    """Let an address send images."""
    with enrolment_desk(state) as desk:
        desk.enrolment.decide(desk.hand, address, True, name, ae_title)
    print(f"{address} may send images now.")


@app.command()
def refuse(address: Address, state: State = None) -> None:
    """Refuse an address; images that it sent stay."""
    with enrolment_desk(state) as desk:
        desk.enrolment.decide(desk.hand, address, False)
    print(f"{address} is refused.")
