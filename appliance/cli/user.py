"""``appliance user``: who may read, by which role, with which passphrase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance import clock
from appliance.cli.key_session import KeySession, key_session
from appliance.cli.options import (
    Generate,
    Json,
    NewPasswordFile,
    PasswordFile,
    State,
    User,
    chosen_passphrase,
    read_passphrase,
)
from appliance.errors import BadInput, NotFound, Refused
from appliance.hardening import no_dumps
from appliance.paths import StatePaths
from appliance.settings import read_settings
from appliance.upkeep.layout import check_layout

app = typer.Typer(help="People: who may read, and with which passphrase.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name of the person, as typed to log in.")]
Role = Annotated[str, typer.Option(help="owner, doctor, assistant or technician.")]
NewRole = Annotated[str, typer.Argument(help="owner, doctor or assistant.")]
Images = Annotated[bool, typer.Option("--images", help="Let an assistant see the images, not only the lists.")]

STILL_OPEN = """\
What {name} may still open: {what} stored before this moment (epochs 1 to {last}), by old copies of the sealed files
together with the old slot or key files, from a stolen disk or an old backup. Deleted files can stay readable on flash
for a while, and in old backups until those expire. Nothing stored from now on opens that way.
The recovery sheet opens everything, also in future: make sure that {name} has no copy of it."""


@app.callback()
def _user() -> None:
    """People: who may read, and with which passphrase."""


@app.command()
def add(
    name: Name,
    role: Role,
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    new_password_file: NewPasswordFile = None,
    generate: Generate = "",
    images: Images = False,
) -> None:
    """Add somebody: an owner logs in with --user, the new person's passphrase comes from a file or is generated.

    Owners and doctors read everything, assistants the lists (and images with --images), technicians nothing.
    """
    from appliance.people.roles import reads
    from appliance.sealing.words import require_strong

    _not_twice(password_file, new_password_file)
    passphrase = ""
    if reads(role, images):
        passphrase = chosen_passphrase(new_password_file, generate)
        require_strong(passphrase)
    elif generate or new_password_file is not None:
        raise BadInput("A technician reads nothing and has no passphrase.", "Leave the passphrase out.")
    with key_session(state, user, password_file) as session:
        session.changes.join(name, role, images, passphrase)
    print(f"{name} is {role} now." if passphrase else f"{name} is {role} now, and holds no key.")
    if generate:
        print(f"Passphrase of {name}: {passphrase}")


@app.command("list")
def list_people(state: State = None, as_json: Json = False) -> None:
    """List who may read what. Shows no secret and needs none."""
    rows = _rows(_paths(state))
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        reading = ", ".join(row["reads"]) or "nothing"
        print(f"{row['name']:<24} {row['role']:<11} reads {reading:<14} {row['slot']}, {row['devices']} devices")


@app.command()
def passphrase(
    name: Name,
    state: State = None,
    password_file: PasswordFile = None,
    new_password_file: NewPasswordFile = None,
    generate: Generate = "",
) -> None:
    """Change one's own passphrase: --password-file holds the old one. Rewrites one slot, nothing else."""
    from appliance.keyring.disk import key_lock
    from appliance.keyring.slots import change_passphrase
    from appliance.people.store import People
    from appliance.sealing.words import passphrase_bytes, require_strong
    from appliance.upkeep.cli_log import record

    _not_twice(password_file, new_password_file)
    paths = _paths(state)
    no_dumps()
    old, new = read_passphrase(password_file), chosen_passphrase(new_password_file, generate)
    require_strong(new)
    people = People(paths.system_db)
    person = people.by_name(name)
    people.close()
    subject = person.id if person else ""
    with key_lock(paths):
        try:
            change_passphrase(paths, subject, passphrase_bytes(old), passphrase_bytes(new))
        except Refused:
            record(paths, clock.now(), "cli:passphrase:refused", person=subject)
            raise
        record(paths, clock.now(), "cli:passphrase:changed", person=subject)
    print("The passphrase was changed. The old one still opens old copies of the slot, in backups for example.")
    if generate:
        print(f"Passphrase of {name}: {new}")


@app.command("role")
def change_role(
    name: Name,
    role: NewRole,
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    images: Images = False,
) -> None:
    """Give somebody another role, or an assistant the images with --images and without it no longer.

    Who loses the images by it reads no new one, from a new epoch of keys on; then every session ends.
    """
    with key_session(state, user, password_file, name) as session:
        person = _target(session)
        same = (person.role, person.sees_images) == (role, images)
        entry = None if same else session.changes.change(person, role, images)
    print(f"{name} is {role} now.")
    if entry is not None and entry.epoch:
        print(STILL_OPEN.format(name=name, what="images", last=entry.epoch - 1))


@app.command()
def remove(name: Name, user: User, state: State = None, password_file: PasswordFile = None) -> None:
    """Remove somebody who holds no key, a technician. Whoever reads has to leave: appliance user leave."""
    from appliance.keyring.slots import has_slot

    with key_session(state, user, password_file, name) as session:
        person = _target(session)
        if has_slot(session.paths, person.id):
            raise Refused(f"{name} holds keys: to remove the name alone would not take them.", "appliance user leave")
        session.changes.leave(person.id, reads_now=False)
    print(f"{name} was removed.")


@app.command()
def leave(name: Name, user: User, state: State = None, password_file: PasswordFile = None) -> None:
    """Let somebody go: their slot, sessions and devices end, and a new epoch begins for those who stay.

    Nobody else's passphrase is needed, nobody else's changes, and no image is rewritten. Cut short, run it again.
    """
    from appliance.people.roles import reads

    with key_session(state, user, password_file, name) as session:
        done = session.completed
        if done is None or done.act != "leave" or session.target is None or done.person != session.target.id:
            person = _target(session)
            done = session.changes.leave(person.id, bool(reads(person.role, person.sees_images)))
    print(f"{name} has left: slot, sessions and devices are gone.")
    if done.epoch:
        print(f"epoch {done.epoch} has begun for those who stay; everybody logs in again, with unchanged passphrases")
        print(STILL_OPEN.format(name=name, what="images and lists", last=done.epoch - 1))


def _paths(state: Path | None) -> StatePaths:
    paths = StatePaths(read_settings(state=state).state)
    check_layout(paths)
    return paths


def _target(session: KeySession) -> Any:
    """Return the person that the command names, as known now: an unfinished change may have been completed."""
    found = session.people.by_id(session.target.id) if session.target else None
    if found is None or found.left_at:
        raise NotFound("Nobody of this name is known.", "See: appliance user list")
    return found


def _not_twice(first: Path | None, second: Path | None) -> None:
    if str(first) == str(second) == "-":
        raise BadInput("Two passphrases cannot both come from standard input.", "Name a file for one of them.")


def _rows(paths: StatePaths) -> list[dict[str, Any]]:
    from appliance.keyring.possession import devices
    from appliance.keyring.slots import has_slot, slot_header
    from appliance.people.roles import reads
    from appliance.people.store import People

    people = People(paths.system_db)
    rows = []
    for person in people.everybody():
        slot = "no slot"
        if has_slot(paths, person.id):
            header = slot_header(paths, person.id)
            cost = header.params
            half = "password and device" if header.needs_possession else "passphrase"
            slot = f"{half}, Argon2id {cost.memory_kib >> 10} MiB x {cost.iterations}"
        rows.append(
            {
                "id": person.id, "name": person.name, "role": person.role, "added": person.created,
                "reads": list(reads(person.role, person.sees_images)), "slot": slot,
                "devices": len(devices(paths, person.id)),
            }
        )  # fmt: skip
    people.close()
    return rows
