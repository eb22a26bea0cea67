"""``appliance study``: what is there, what must be kept, what is deleted for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from appliance import clock
from appliance.cli.options import Json, PasswordFile, State, User, log_in, printable
from appliance.errors import BadInput
from appliance.paths import StatePaths
from appliance.settings import read_settings

if TYPE_CHECKING:
    from appliance.ingest.decide import Decider

app = typer.Typer(
    help="Studies: list, hold, release, delete; what is kept out of sight.", no_args_is_help=True, rich_markup_mode=None
)
StudyUID = Annotated[str, typer.Argument(help="StudyInstanceUID, as appliance study list shows it.")]
Reason = Annotated[str, typer.Option(help="Why; kept sealed with the decision.")]
PAGE = 200


@contextmanager
def decider_of(user: str, state: State, password_file: PasswordFile) -> Iterator[Decider]:
    """Log somebody in and yield what takes decisions in their name; the session ends with it."""
    from appliance.archive.files import FileBackend  # SQLCipher is loaded when it is needed
    from appliance.ingest.decide import deciding

    settings = read_settings(state=state)
    paths = StatePaths(settings.state)
    agent, token, lease = log_in(settings, user, password_file)
    try:
        archive = FileBackend(paths, "decide")
        with deciding(paths, archive, agent, token, lease.person, clock.now()) as decider:
            yield decider
    finally:
        agent.logout(token)


@app.command("list")
def list_studies(
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    text: Annotated[str, typer.Option(help="Words of the name, an id or the description.")] = "",
    as_json: Json = False,
) -> None:
    """List the studies, newest first; the box must be running."""
    with decider_of(user, state, password_file) as decider:
        found, offset = [], 0
        while True:
            total, rows = decider.studies(text, offset, PAGE)
            for row in rows:
                facts = {
                    "study": row.uid,
                    "patient_name": row.patient_name,
                    "patient_id": row.patient_id,
                    "study_date": row.study_date,
                    "description": row.description,
                    "instances": row.instance_count,
                    "held": decider.held(row.uid),
                }
                found.append(facts)
            offset += len(rows)
            if not rows or offset >= total:
                break
        unreadable = decider.unreadable
    if as_json:
        print(json.dumps({"studies": found, "unreadable_decisions": unreadable}, ensure_ascii=False))
        return
    for number in unreadable:
        typer.echo(f"ALARM: decision {number} cannot be read and is not followed. Restore decisions/.", err=True)
    for study in found:
        held = "  held" if study["held"] else ""
        print(f"{study['study']}  {study['study_date']}  {study['patient_name']}  {study['instances']} images{held}")


@app.command()
def quarantined(user: User, state: State = None, password_file: PasswordFile = None, as_json: Json = False) -> None:
    """List the images that are kept out of sight: another one came before them with the same SOPInstanceUID."""
    from appliance.index.merge import first_name

    with decider_of(user, state, password_file) as decider:
        found = [
            {
                "object": note.object,
                "study": note.study,
                "sop_instance": note.sop_instance,
                "patient_name": first_name(note.attributes, "00100010"),
                "received": note.received,
                "from": f"{note.source.name} {note.source.address}".strip(),
            }
            for note in decider.quarantined()
        ]
    if as_json:
        print(json.dumps({"images": found}, ensure_ascii=False))
        return
    for one in found:
        print(printable(f"{one['sop_instance']}  {one['patient_name']}  {one['received']}  from {one['from']}"))
        print(printable(f"  study {one['study']}  object {one['object']}"))
    print(f"{len(found)} images" if found else "none")


@app.command()
def hold(
    study: StudyUID, user: User, state: State = None, password_file: PasswordFile = None, reason: Reason = ""
) -> None:
    """Keep a study from being deleted until it is released."""
    with decider_of(user, state, password_file) as decider:
        decider.hold(study, clock.now(), reason)
    print("held")


@app.command()
def release(
    study: StudyUID, user: User, state: State = None, password_file: PasswordFile = None, reason: Reason = ""
) -> None:
    """Let a held study be deleted again."""
    with decider_of(user, state, password_file) as decider:
        decider.release(study, clock.now(), reason)
    print("released")


@app.command()
def delete(
    study: StudyUID,
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study for good. Old backups and flash cells may hold it for a while: see docs/decisions-on-images.md."""
    if not yes and not typer.confirm("Delete this study for good?"):
        raise BadInput("Nothing was deleted.")
    with decider_of(user, state, password_file) as decider:
        count = decider.delete(study, clock.now(), reason)
    print(f"deleted {count} images")
