"""``appliance rotate``: a new epoch of keys."""

from __future__ import annotations

from appliance.cli.key_session import key_session
from appliance.cli.options import PasswordFile, State, User


def rotate(user: User, state: State = None, password_file: PasswordFile = None) -> None:
    """Begin a new epoch: what is received from now on is sealed to fresh keys. Nothing stored is rewritten.

    Nobody else's passphrase is needed; every session ends and everybody logs in again.
    """
    with key_session(state, user, password_file) as session:
        done = session.completed
        if done is None or done.act != "rotate":
            done = session.changes.rotate()
    print(f"epoch {done.epoch}: new images are sealed to fresh keys; the older ones open as before")
    print("Everybody logs in again, with unchanged passphrases. The recovery sheet stays the same.")
