"""``appliance decide``: a decision that a file describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.options import PasswordFile, State, User
from appliance.cli.study import decider_of
from appliance.clock import stamp
from appliance.dicom.decision import parse
from appliance.errors import BadInput

LARGEST = 16 * 1024 * 1024


def decide(
    file: Annotated[Path, typer.Option(help="JSON file that describes it: see docs/decisions-on-images.md.")],
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
) -> None:
    """Merge patients, move a study, correct values, quarantine or release images; the box must be running."""
    body = _read(file)
    moment = clock.now()
    parse(body | {"at": stamp(moment), "by": "0"})  # Says what is wrong before anybody logs in.
    with decider_of(user, state, password_file) as decider:
        decider.take(parse(body | {"at": stamp(moment), "by": decider.person}))
    print(f"decided: {body['kind']}")


def _read(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as source:
            body = json.loads(source.read(LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput("The file cannot be read as JSON.", "See docs/decisions-on-images.md.") from error
    if not isinstance(body, dict) or body.keys() & {"at", "by", "version"}:
        raise BadInput("The file is not a decision: one object without at, by or version.")
    return body
