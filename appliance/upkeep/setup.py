"""Making a new archive: epoch 1, the owner's slot, the recovery kit."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from appliance.archive.files import make_shelves
from appliance.errors import EnvironmentProblem
from appliance.keyring.disk import write_key_file
from appliance.keyring.epochs import make_epoch
from appliance.keyring.public import current_epoch
from appliance.keyring.readers import Reader
from appliance.keyring.slots import add_slot
from appliance.keyring.sums import NewKeyFile, write_summed
from appliance.paths import StatePaths
from appliance.people.store import People
from appliance.sealing.identities import Identity
from appliance.sealing.slots import Argon2Params
from appliance.sealing.tunnel_keys import new_private_key, public_key_of
from appliance.sealing.words import passphrase_bytes, require_strong
from appliance.sealing.writer import seal
from appliance.upkeep.cli_log import record
from appliance.upkeep.layout import write_layout

PASSPHRASE_BITS = 80


def set_up(
    paths: StatePaths,
    owner: str,
    passphrase: str,
    keep_kit: Callable[[Identity], None],
    params: Argon2Params,
    moment: datetime,
) -> None:
    """Make an archive in an empty or missing directory.

    The paper key is handed to ``keep_kit`` before FORMAT makes the archive usable: an archive whose paper key nobody
    got cannot come to be. Raises :class:`EnvironmentProblem` when something lies there already, :class:`BadInput` for
    a weak passphrase or a bad name; then nothing usable was made.
    """
    require_strong(passphrase, PASSPHRASE_BITS)
    _empty_directory(paths.root)
    try:
        _fill(paths, owner, passphrase, keep_kit, params, moment)
    except BaseException:
        for left in paths.root.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        raise
    write_layout(paths)


def _fill(
    paths: StatePaths,
    owner: str,
    passphrase: str,
    keep_kit: Callable[[Identity], None],
    params: Argon2Params,
    moment: datetime,
) -> None:
    for directory in (paths.slots, paths.audit, paths.box_keys):
        directory.mkdir(mode=0o750, parents=True)
    paths.netd.mkdir(mode=0o700)
    # netd would make it at its first start; the recovery sheet needs its public half now.
    tunnel_key = new_private_key()
    write_key_file(paths.wireguard_public, f"{public_key_of(tunnel_key)}\n".encode("ascii"), mode=0o600)
    write_key_file(paths.wireguard_key, f"{tunnel_key}\n".encode("ascii"), mode=0o600)
    make_shelves(paths)
    people = People(paths.system_db)
    people.create()
    person = people.add(owner, "owner", moment)
    people.close()
    paper, identity = Identity.generate(), Identity.generate()
    readers = [Reader(person.id, identity.recipient(), "owner")]
    make_epoch(paths, 1, {"notes": readers, "images": readers}, paper.recipient())
    add_slot(paths, person.id, passphrase_bytes(passphrase), identity, params)
    index_key = seal(secrets.token_bytes(32), [current_epoch(paths).notes])
    paper_recipient = NewKeyFile(paths.paper_recipient, f"{paper.recipient()}\n".encode("ascii"))
    write_summed(paths, [paper_recipient, NewKeyFile(paths.index_key, index_key)])
    record(paths, moment, "cli:archive:init", by=person.id, argon2id=asdict(params))
    keep_kit(paper)


def _empty_directory(root: Path) -> None:
    """Make ``root`` an empty directory; empty directories may lie there, as systemd-tmpfiles makes them."""
    try:
        root.mkdir(mode=0o750, parents=True, exist_ok=True)
        left = sorted(root.rglob("*"), key=lambda path: len(path.parts), reverse=True)
        taken = any(path.is_symlink() or not path.is_dir() for path in left)
        for path in left if not taken else ():
            path.rmdir()
    except OSError as error:
        raise EnvironmentProblem(f"{root} cannot be made: {error.strerror}.", "Choose another directory.") from error
    if taken:
        raise EnvironmentProblem(f"{root} is not empty; nothing was changed.", "Choose an empty directory.")
