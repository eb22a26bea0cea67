"""A router that lies is not relied on, one with a peculiarity is met, and the courier itself takes no order but two."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance import sockets
from appliance.network.line import LONGEST
from appliance.paths import RunPaths
from tests.box import wait_for
from tests.broken import broken
from tests.lab import odd_router
from tests.lab.line import Line
from tests.lab.machines import LabBox


@pytest.mark.parametrize("lie", ["other-port", "zero", "garbage", "elsewhere", "huge", "stolen"])
def test_a_router_that_lies_is_told_and_not_relied_on(line: Line, lie: str) -> None:
    with odd(line, lie) as asked:
        found = line.look()
        assert found["report"]["verdict"] == "contradicts" and found["report"]["outside4"] == "", found
    assert lie != "elsewhere" or "GET" not in asked[0]


def test_a_router_that_only_knows_mappings_without_end(line: Line) -> None:
    with odd(line, "permanent") as asked:
        assert line.look()["report"]["verdict"] in ("mapped", "other_port")
        line.box.stop()
    assert re.findall(r"AddPortMapping (\S+)", asked[0])[:2] == ["['3600']", "['0']"]
    assert "DeletePortMapping" in asked[0]
    line.box.start()


REQUESTS = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda verb: json.dumps({"verb": verb}).encode() + b"\n", st.text(max_size=12) | st.none() | st.just([])),
    st.builds(
        lambda name, value: json.dumps({"verb": "look", name: value}).encode() + b"\n",
        st.sampled_from(["port", "address", "router", "protocol", "command"]),
        st.integers() | st.text(max_size=12),
    ),
)


def require_refusals(box: LabBox) -> None:
    """Fail when the courier does not refuse, with a line in the log, a request outside its table."""
    socket = RunPaths(box.state / "run").courier

    @settings(
        max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        report_multiple_bugs=False, database=None,
    )  # fmt: skip
    @given(REQUESTS)
    def refused(raw: bytes) -> None:
        count = box.log.read_bytes().count(b'"refused"')
        assert "error" in json.loads(sockets.ask(socket, raw, LONGEST, 5, "courier")), f"let through: {raw!r}"
        assert box.log.read_bytes().count(b'"refused"') == count + 1, f"not logged: {raw!r}"

    refused()
    assert "ok" in json.loads(sockets.ask(socket, b'{"verb":"status"}\n', LONGEST, 5, "courier"))


def test_a_request_outside_the_couriers_table_is_refused_and_logged(line: Line) -> None:
    before = line.status()
    require_refusals(line.box)
    assert line.status()["report"]["verdict"] == before["report"]["verdict"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from appliance.network import courier_wire as w; w.decode_request = lambda raw: 'status'", "let through"),
        ("from appliance import answering; answering.log = lambda *_, **__: None", "not logged"),
    ],
    ids=["without its table", "without its log"],
)
def test_a_courier_without_its_table_fails_the_check(line: Line, code: str, said: str) -> None:
    whole = line.box.environment
    line.box.stop()
    line.box.environment = whole | broken("courier", code, line.folder)
    try:
        line.box.start()
        with pytest.raises(AssertionError, match=said):
            require_refusals(line.box)
    finally:
        line.box.stop()
        line.box.environment = whole
        line.box.start()


@contextmanager
def odd(line: Line, how: str) -> Iterator[list[str]]:
    """Have a stand-in answer as the practice's router; yield a list that holds what it was asked, afterwards."""
    line.mapper.start()
    script = Path(odd_router.__file__)
    router = line.mapper.places.router.start(sys.executable, script, how, stdout=subprocess.PIPE)
    wait_for(lambda: ":1900 " in listening(line) or ":5351 " in listening(line), 10)
    asked: list[str] = []
    try:
        yield asked
    finally:
        router.terminate()
        asked.append(router.communicate()[0].decode())


def listening(line: Line) -> str:
    return line.mapper.places.router.run("ss", "-lnu")
