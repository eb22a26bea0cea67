"""Options and small readers that several commands share."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance.errors import BadInput
from appliance.keyring.client import AgentClient, LeaseInfo
from appliance.paths import RunPaths, StatePaths
from appliance.sealing.words import Language, new_passphrase
from appliance.settings import Settings
from appliance.upkeep.layout import check_layout

LONGEST_SECRET = 4096

State = Annotated[Path | None, typer.Option("--state", help="Directory of the archive. [default: NEGATO_STATE]")]
User = Annotated[str, typer.Option("--user", help="Name of the person who logs in.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the passphrase, - for standard input; asked for when left out."),
]
NewPasswordFile = Annotated[
    Path | None,
    typer.Option("--new-password-file", help="File with the new passphrase, - for standard input; or --generate."),
]
Generate = Annotated[str, typer.Option(help="Make a passphrase of words instead and print it: fr or en.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


def printable(text: str) -> str:
    """Return text as a terminal may show it: no control letters, no directions, no broken ones of a file's name."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def read_passphrase(file: Path | None) -> str:
    """Return a passphrase from a file, standard input or the terminal; never from the command line."""
    if file is None:
        if not sys.stdin.isatty():
            raise BadInput("No passphrase was given.", "Name its file with --password-file, or - for standard input.")
        return getpass.getpass("Passphrase: ")
    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.read(LONGEST_SECRET)
        else:
            with file.open("rb") as source:
                raw = source.read(LONGEST_SECRET)
        return raw.decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("The passphrase cannot be read from that file.", "Name a UTF-8 text file.") from error


def chosen_passphrase(file: Path | None, generate: str) -> str:
    """Return a fresh passphrase of French or English words if ``generate`` asks for one, else the one in ``file``."""
    if not generate:
        return read_passphrase(file)
    languages: dict[str, Language] = {"fr": "french", "en": "english"}
    if generate not in languages or file is not None:
        raise BadInput("A passphrase is made of French or English words.", "Write --generate fr, and name no file.")
    return new_passphrase(languages[generate])


def agent_of(settings: Settings) -> AgentClient:
    """Return a client of this archive's key agent."""
    check_layout(StatePaths(settings.state))
    return AgentClient(RunPaths(settings.run_root).keyagent)


def log_in(settings: Settings, user: str, password_file: Path | None) -> tuple[AgentClient, str, LeaseInfo]:
    """Log somebody in at the key agent; return the client, the token and the lease."""
    from appliance.people.store import People  # SQLAlchemy is loaded when it is needed

    agent = agent_of(settings)
    people = People(StatePaths(settings.state).system_db)
    person = people.by_name(user)
    people.close()
    token, lease = agent.login(person.id if person else "", read_passphrase(password_file))
    if lease.rolled_back:
        print("WARNING: the end of the record is missing. Run: appliance audit verify", file=sys.stderr)
    return agent, token, lease
