"""The alarm over an exchanged public key: set by the key agent, heeded by whoever would seal to it."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.keyring.disk import write_key_file
from appliance.keyring.epochs import KINDS, OpenEpoch
from appliance.keyring.public import exchanged_keys
from appliance.paths import StatePaths


def raise_alarm(paths: StatePaths, file: str) -> None:
    """Write down that the public key ``file`` is not ours; nothing is taken in until it is again."""
    paths.alarm.mkdir(mode=0o750, exist_ok=True)
    names = sorted({file, *exchanged_keys(paths)})
    write_key_file(paths.exchanged, "".join(f"{name}\n" for name in names).encode())


def all_is_well(paths: StatePaths, epochs: Sequence[OpenEpoch]) -> bool:
    """End the alarm if the epochs, which were just checked, hold every key that it names; return whether it ended.

    Whoever may open only part of the keys cannot end an alarm over another part.
    """
    named = set(exchanged_keys(paths))
    sound = {paths.epoch_recipient(epoch.number, kind).name for epoch in epochs for kind in KINDS if epoch.of(kind)}
    if not named or named - sound:
        return False
    paths.exchanged.unlink()
    return True
