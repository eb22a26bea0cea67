"""``appliance unlock`` with its counterpart ``appliance lock``."""

from __future__ import annotations

from appliance.cli.options import PasswordFile, State, User, agent_of, log_in
from appliance.settings import read_settings


def unlock(user: User, state: State = None, password_file: PasswordFile = None) -> None:
    """Log in without a page, so that the archive is open until the session idles out or is locked."""
    settings = read_settings(state=state)
    log_in(settings, user, password_file)
    print(f"unlocked; locks by itself after {settings.idle_minutes} minutes without use")


def lock(state: State = None) -> None:
    """Lock the archive now: every session ends and the keys are forgotten."""
    agent_of(read_settings(state=state)).lock()
    print("locked")
