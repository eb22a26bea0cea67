"""A job, even one that an attacker has taken over, reaches neither files nor network nor programs."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest

from appliance.decoder.confine import Confinement
from appliance.decoder.job import Worker
from appliance.decoder.server import Limits
from appliance.errors import BadInput
from appliance.imaging.jobs import Answer, Request
from appliance.imaging.shape import FrameShape

SHAPE = FrameShape(2, 2, 1, 8, 8, 7, False, "MONOCHROME2", 0, "1.2.840.10008.1.2.1")
LIBC = ctypes.CDLL(None, use_errno=True)


class Attacker(Worker):
    """A job whose codec was taken over: it tries one thing and tells how that went."""

    def run(self, request: Request, data: bytes) -> tuple[Answer, bytes]:
        try:
            self.attempt()
        except OSError as error:
            said = f"refused {error.errno}".encode()
        else:
            said = b"succeeded"
        return Answer(len(said), SHAPE), said

    def attempt(self) -> None:
        """Do nothing: an honest job gets through."""


class OpensAFile(Attacker):
    def attempt(self) -> None:
        with Path("/etc/hostname").open() as file:
            file.read()


class Forks(Attacker):
    def attempt(self) -> None:
        if os.fork() == 0:
            os._exit(0)


class KillsItsParent(Attacker):
    def attempt(self) -> None:
        os.kill(os.getppid(), 9)


class OpensASocket(Attacker):
    def attempt(self) -> None:
        socket.socket(socket.AF_INET)


class StartsAProgram(Attacker):
    def attempt(self) -> None:
        os.execv("/bin/true", ["true"])


class TracesAProcess(Attacker):
    def attempt(self) -> None:
        LIBC.ptrace(16, os.getppid(), 0, 0)


class UsesOtherDescriptors(Attacker):
    def attempt(self) -> None:
        for descriptor in range(64):
            try:
                os.fstat(descriptor)
            except OSError:
                continue
            if descriptor != self.own:
                return
        raise OSError(9, "none")

    def serve(self, connection, answering) -> None:
        self.own = connection.fileno()
        super().serve(connection, answering)


class EatsMemory(Attacker):
    def attempt(self) -> None:
        bytearray(4 * 1024**3)


class Spins(Attacker):
    def attempt(self) -> None:
        while True:
            pass


class Crashes(Attacker):
    def attempt(self) -> None:
        ctypes.string_at(0)


class AnswersHalf(Attacker):
    def run(self, request: Request, data: bytes) -> tuple[Answer, bytes]:
        return Answer(1_000_000, SHAPE), b"half"


def test_an_honest_job_gets_through(start) -> None:
    assert start(worker=Attacker(Confinement())).client.decode(SHAPE, b"1234") == b"succeeded"


@pytest.mark.parametrize("attack", [OpensAFile, Forks, KillsItsParent, UsesOtherDescriptors])
def test_an_attempt_is_refused(start, attack: type[Attacker]) -> None:
    running = start(worker=attack(Confinement()))
    assert running.client.decode(SHAPE, b"1234").startswith(b"refused")
    assert running.alive()


@pytest.mark.parametrize("attack", [OpensAFile, UsesOtherDescriptors, Forks])
def test_files_stay_closed_even_without_the_system_call_filter(start, attack: type[Attacker]) -> None:
    """Limits on descriptors hold by themselves; a limit on processes binds everyone but root."""
    if attack is Forks and os.geteuid() == 0:
        attack = OpensAFile
    running = start(worker=attack(Confinement(filter_calls=False)))
    assert running.client.decode(SHAPE, b"1234").startswith(b"refused")


@pytest.mark.parametrize("attack", [OpensASocket, StartsAProgram, TracesAProcess, Crashes])
def test_an_attempt_ends_the_job_and_nothing_else(start, attack: type[Attacker]) -> None:
    running = start(worker=attack(Confinement()))
    with pytest.raises(BadInput, match="stopped while reading"):
        running.client.decode(SHAPE, b"1234")
    assert running.alive()
    with pytest.raises(BadInput):
        running.client.decode(SHAPE, b"1234")


def test_memory_beyond_the_limit_is_refused(start) -> None:
    with pytest.raises(BadInput, match="more memory"):
        start(worker=EatsMemory(Confinement())).client.decode(SHAPE, b"1234")


def test_a_job_that_never_ends_is_ended(start) -> None:
    running = start(Limits(seconds=0.5), Spins(Confinement()))
    with pytest.raises(BadInput, match="too long"):
        running.client.decode(SHAPE, b"1234")
    assert running.alive()


def test_processor_time_is_bounded_as_well(start) -> None:
    with pytest.raises(BadInput, match="stopped"):
        start(worker=Spins(Confinement(cpu_seconds=1))).client.decode(SHAPE, b"1234")


def test_half_an_answer_is_never_taken_for_a_picture(start) -> None:
    from appliance.errors import Damaged

    with pytest.raises(Damaged):
        start(worker=AnswersHalf(Confinement())).client.decode(SHAPE, b"1234")


def test_another_users_connection_is_closed_unheard(start) -> None:
    from appliance.errors import NegatoError

    running = start(Limits(peer_uids=frozenset({os.geteuid() + 1})))
    with pytest.raises(NegatoError):
        running.client.decode(SHAPE, b"1234")
    assert running.alive()
