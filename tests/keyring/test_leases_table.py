"""A lease reaches what it was given for, in the program it was given to, until it ends by a clock that never jumps."""

from __future__ import annotations

import pytest

from appliance.errors import NotLoggedIn, Refused
from appliance.keyring.guesses import LONGEST_SECONDS, Guesses
from appliance.keyring.leases import Caller, LeaseTable, TakenToken

WEB, OTHER = Caller(33, 100), Caller(33, 101)
IDLE, LONGEST = 1800.0, 43200.0


@pytest.fixture
def table() -> LeaseTable:
    return LeaseTable(IDLE, LONGEST)


def test_a_session_ends_after_half_an_hour_without_use(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    table.use(token, WEB, IDLE - 1)
    table.use(token, WEB, 2 * IDLE - 2)
    with pytest.raises(NotLoggedIn):
        table.use(token, WEB, 3 * IDLE - 2)
    assert table.people(3 * IDLE) == 0


def test_looking_is_not_use(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    table.find(token, WEB, IDLE - 1)
    with pytest.raises(NotLoggedIn):
        table.find(token, WEB, IDLE)


def test_a_session_ends_after_twelve_hours_however_it_is_used(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    moment = 0.0
    while moment < LONGEST - 1000:
        moment += 1000
        table.use(token, WEB, moment)
    with pytest.raises(NotLoggedIn):
        table.use(token, WEB, LONGEST)


def test_work_of_the_appliance_prolongs_no_session(table: LeaseTable) -> None:
    table.open_person("p", WEB, 0)
    job, _ = table.open_job(WEB, 0)
    table.use(job, WEB, IDLE - 1)
    assert table.people(IDLE) == 0


def test_no_work_begins_when_nobody_is_logged_in(table: LeaseTable) -> None:
    with pytest.raises(Refused):
        table.open_job(WEB, 0)


def test_a_token_is_good_for_the_program_it_was_given_to(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    for use in (table.use, table.find, table.end):
        with pytest.raises(TakenToken):
            use(token, OTHER, 1)
    assert table.find(token, WEB, 1).person == "p"


def test_a_person_reaches_every_study_and_always_names_one(table: LeaseTable) -> None:
    _, lease = table.open_person("p", WEB, 0)
    assert lease.objection("view", "any") == ""
    assert lease.objection("view", "") == "scope"
    assert lease.objection("settle", "") == "purpose"


def test_a_ticket_reaches_its_studies_to_view_and_nothing_else(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    _, ticket = table.open_ticket(table.use(token, WEB, 0), ["a"], 0)
    assert ticket.objection("view", "a") == ""
    assert ticket.objection("view", "b") == "scope"
    assert ticket.objection("view", "") == "scope"
    assert ticket.objection("retrieve", "a") == "purpose"
    with pytest.raises(Refused):
        table.open_ticket(ticket, ["a"], 0)


def test_a_ticket_does_not_keep_the_archive_unlocked(table: LeaseTable) -> None:
    token, _ = table.open_person("p", WEB, 0)
    table.open_ticket(table.use(token, WEB, 0), ["a"], 0)
    table.end(token, WEB, 1)
    assert table.people(1) == 0


def test_work_of_the_appliance_reaches_notes_and_no_study(table: LeaseTable) -> None:
    table.open_person("p", WEB, 0)
    _, job = table.open_job(WEB, 0)
    assert job.objection("settle", "") == ""
    assert job.objection("settle", "a") == "scope"
    assert job.objection("view", "a") == "purpose"


def test_wrong_guesses_wait_longer_and_longer_but_never_more_than_four_seconds() -> None:
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(40):
        waits.append(guesses.wait("p", now))
        now += waits[-1]
        guesses.wrong("p", now)
    assert waits[:6] == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    assert max(waits) == LONGEST_SECONDS
    assert guesses.wait("q", now) == 0.0
    guesses.right("p")
    assert guesses.wait("p", now) == 0.0


def test_a_million_names_take_no_memory_to_speak_of() -> None:
    guesses = Guesses()
    for number in range(5000):
        guesses.wrong(str(number), 0)
    assert len(guesses._wrong) == 1024
