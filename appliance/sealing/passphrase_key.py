"""From what a person knows to a key: Argon2id with bounded cost.

RFC 9106, and RFC 5869 for mixing in the half that a device holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.sealing.derive import hkdf

SALT_SIZE = 16
LONGEST_PASSPHRASE = 1024
_KEY_SIZE = 32
_INFO = b"negatoscope slot v1"


@dataclass(frozen=True, slots=True)
class Argon2Params:
    """The cost of one guess: memory in KiB, passes over it, lanes computed in parallel."""

    memory_kib: int
    iterations: int
    lanes: int

    def check(self) -> None:
        """Raise :class:`Damaged` unless every value lies between FLOOR and CEILING.

        The floor keeps a weakened slot from being made or believed, the ceiling a hostile one from taking all memory.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or not getattr(FLOOR, name) <= value <= getattr(CEILING, name):
                raise Damaged(f"A slot asks for an Argon2 {name} that is not acceptable.")


FLOOR = Argon2Params(memory_kib=19 * 1024, iterations=2, lanes=1)
CEILING = Argon2Params(memory_kib=256 * 1024, iterations=16, lanes=8)

# What calibration takes at most: a login must fit into a small box beside everything else. More time goes into passes.
_CALIBRATED_MEMORY_KIB = 128 * 1024
_CALIBRATED_LANES = 2


def derive_key(passphrase: bytes, salt: bytes, params: Argon2Params, possession: bytes) -> bytes:
    """Return 32 bytes: HKDF(Argon2id(passphrase) || possession).

    ``possession`` is the half that a person's device holds, empty for a slot that a passphrase opens alone. Raises
    :class:`BadInput` for a passphrase that is empty or above 1024 bytes, :class:`EnvironmentProblem` without memory.
    """
    if not 0 < len(passphrase) <= LONGEST_PASSPHRASE:
        raise BadInput("A passphrase has between 1 and 1024 bytes.")
    params.check()
    try:
        known = hash_secret_raw(
            secret=passphrase,
            salt=salt,
            time_cost=params.iterations,
            memory_cost=params.memory_kib,
            parallelism=params.lanes,
            hash_len=_KEY_SIZE,
            type=Type.ID,
        )
    except HashingError as error:
        raise EnvironmentProblem("There is not enough memory to check a passphrase.", "Close something.") from error
    return hkdf(known + possession, salt=salt, info=_INFO, size=_KEY_SIZE)


def seconds_for(params: Argon2Params) -> float:
    """Return how long one guess with ``params`` takes on this machine, in seconds."""
    start = time.perf_counter()
    derive_key(b"calibration", bytes(SALT_SIZE), params, b"")
    return time.perf_counter() - start


def calibrate(target_seconds: float, measure: Callable[[Argon2Params], float] = seconds_for) -> Argon2Params:
    """Return parameters whose cost on this machine comes near ``target_seconds``, never outside FLOOR and CEILING.

    Memory grows first, up to 128 MiB, because it is what a guesser's hardware lacks; then passes. ``measure`` gives
    the seconds that one derivation takes.
    """
    memory, iterations = FLOOR.memory_kib, FLOOR.iterations
    elapsed = measure(Argon2Params(memory, iterations, _CALIBRATED_LANES))
    while memory < _CALIBRATED_MEMORY_KIB and elapsed * 2 <= target_seconds:
        memory = min(memory * 2, _CALIBRATED_MEMORY_KIB)
        elapsed = measure(Argon2Params(memory, iterations, _CALIBRATED_LANES))
    affordable = int(iterations * target_seconds / elapsed) if elapsed > 0 else iterations
    return Argon2Params(memory, max(iterations, min(affordable, CEILING.iterations)), _CALIBRATED_LANES)
