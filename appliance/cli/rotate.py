"""``appliance rotate``: a new epoch of keys, on demand with a new paper key."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance import clock
from appliance.cli.key_session import KeySession, key_session
from appliance.cli.options import PasswordFile, State, User
from appliance.cli.sheet import new_sheet
from appliance.keyring.public import epoch_numbers

if TYPE_CHECKING:
    from appliance.upkeep.key_journal import Entry

OLD_SHEETS = """\
Destroy every older sheet. None opens a file of this archive any more, as it lies here now. With an old copy of the key
files, from a backup or a stolen disk, an older sheet still opens what was stored before (epochs 1 to {last})
and nothing that is stored from now on. Make a new backup, and let the old ones expire."""


def rotate(
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    new_paper: Annotated[
        Path | None,
        typer.Option("--new-paper", help="Replace the paper key, too: new file for the new sheet, .pdf or .txt."),
    ] = None,
) -> None:
    """Begin a new epoch: what is received from now on is sealed to fresh keys. Nothing stored is rewritten.

    Nobody else's passphrase is needed; every session ends and everybody logs in again. With --new-paper a new recovery
    sheet is written first, then every key file is sealed to it instead of the old one. Cut short, run it again.
    """
    with key_session(state, user, password_file) as session:
        done = session.completed
        wanted = "paper" if new_paper is not None else "rotate"
        if done is None or done.act != wanted or not done.epoch:
            done = session.changes.rotate() if new_paper is None else _paper(session, new_paper)
        elif new_paper is not None:
            print(f"The sheet that was written then is the one that counts; {new_paper} was left as it is.")
    print(f"epoch {done.epoch}: new images are sealed to fresh keys; the older ones open as before")
    if new_paper is None:
        print("Everybody logs in again, with unchanged passphrases. The recovery sheet stays the same.")
    else:
        print(
            "Everybody logs in again, with unchanged passphrases. Print the new sheet, keep it in a safe, then delete"
        )
        print(f"the file: it opens every image.\n{OLD_SHEETS.format(last=done.epoch - 1)}")


def _paper(session: KeySession, path: Path) -> Entry:
    with new_sheet(path) as sheet:
        keep = partial(sheet.write, moment=clock.now())
        before = len(epoch_numbers(session.paths))
        try:
            return session.changes.new_paper(keep)
        finally:
            # From the moment the new epoch counts, its sheet must be kept whatever else fails.
            sheet.counts = len(epoch_numbers(session.paths)) > before
