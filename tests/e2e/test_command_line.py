"""The command line tells what it does, exits with the code that fits, and shows no secret to other programs."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import __version__
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.e2e.objects import tiny
from tests.samples.modality import send

OK, USAGE, REFUSED, DAMAGED, ENVIRONMENT = 0, 2, 4, 5, 6
PROGRAM = """
import sys
from pathlib import Path
import appliance.settings
import appliance.cli.status as status
def fail(*_):
    raise RuntimeError("DUPONT^Marie")
if sys.argv[1] == "fails":
    status.FileBackend = fail
else:
    appliance.settings.SYSTEM_FILE = Path(sys.argv[1])
del sys.argv[1]
from appliance.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """An archive that nobody serves."""
    box = Box(tmp_path_factory.mktemp("idle"))
    box.init()
    return box


def run_patched(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with another settings file, or with a function that fails."""
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


def commands(idle: Box, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command that the help names."""
    text = idle.run(*path, "--help").stdout.decode()
    yield path
    for name in re.findall(r"^  (\w+)  +", text.partition("Commands:")[2], re.MULTILINE):
        yield from commands(idle, *path, name)


def test_every_command_explains_itself(idle: Box) -> None:
    found = list(commands(idle))
    assert {("init",), ("serve",), ("run",), ("status",), ("lock",), ("unlock",), ("open",), ("index", "rebuild")} <= {
        *found
    }
    for path in found:
        done = idle.run(*path, "--help")
        assert done.returncode == OK
        assert f"Usage: appliance {' '.join(path)}".strip() in done.stdout.decode()
        assert done.stderr == b""


def test_the_version_is_told(idle: Box) -> None:
    done = idle.run("--version")
    assert (done.returncode, done.stdout.decode()) == (OK, f"appliance {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("status", "--nosuch"),
        ("init",),
        ("run",),
        ("run", "nosuch"),
        ("unlock",),
        ("index", "nosuch"),
        ("open",),
        ("serve", "--state", "{state}", "--http", "nowhere"),
        ("serve", "--state", "{state}", "--dicom", "127.0.0.1:99999"),
        ("unlock", "--user", OWNER, "--state", "{state}", "--password-file", "/nonexistent"),
        ("open", "--identity", "/nonexistent"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(idle: Box, arguments: tuple[str, ...]) -> None:
    done = idle.run(*(argument.format(state=idle.state) for argument in arguments), stdin=b"")
    assert done.returncode == USAGE, done.stderr
    assert done.stderr.strip()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["lock", "unlock", "index rebuild"])
def test_a_command_that_needs_the_appliance_says_when_it_is_not_running(idle: Box, command: str) -> None:
    login = () if command == "lock" else ("--user", OWNER, "--password-file", str(idle.password_file))
    done = idle.run(*command.split(), "--state", str(idle.state), *login)
    assert done.returncode == ENVIRONMENT
    assert b"not running" in done.stderr and b"appliance serve" in done.stderr


@pytest.mark.parametrize("command", ["status", "serve", "lock"])
def test_a_directory_without_an_archive_is_named(idle: Box, tmp_path: Path, command: str) -> None:
    done = idle.run(command, "--state", str(tmp_path))
    assert done.returncode in ((OK, ENVIRONMENT) if command == "status" else (ENVIRONMENT,)), done.stderr
    assert b"Traceback" not in done.stderr
    if done.returncode == ENVIRONMENT:
        assert b"holds no archive" in done.stderr and b"appliance init" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_answers_scripts_in_json(box: Box, idle: Box) -> None:
    def status(of: Box) -> dict[str, object]:
        done = of.run("status", "--json", "--state", str(of.state))
        assert done.returncode == OK, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    assert status(idle) == {"running": False, "locked": True, "waiting": 0, "alarms": []}
    assert status(box)["locked"] is True
    assert send([tiny("status json")], "127.0.0.1", box.dicom_port)[0].stored
    assert status(box) == {"running": True, "locked": True, "waiting": 1, "alarms": []}
    done = box.run(
        "unlock", "--state", str(box.state), "--user", OWNER, "--password-file", "-", stdin=PASSPHRASE.encode()
    )
    assert done.returncode == OK, done.stderr
    wait_for(lambda: status(box) == {"running": True, "locked": False, "waiting": 0, "alarms": []}, 20)
    assert box.run("lock", "--state", str(box.state)).stdout == b"locked\n"
    wait_for(lambda: status(box) == {"running": True, "locked": True, "waiting": 0, "alarms": []}, 20)


@pytest.mark.parametrize("command", ["unlock", "index rebuild"])
def test_a_wrong_passphrase_is_refused_with_4(box: Box, command: str) -> None:
    wrong = ("--user", OWNER, "--password-file", "-")
    done = box.run(*command.split(), "--state", str(box.state), *wrong, stdin=b"not the passphrase")
    assert done.returncode == REFUSED
    assert b"wrong" in done.stderr and b"not the passphrase" not in done.stderr


def test_open_writes_nothing_of_what_it_cannot_open(idle: Box, tmp_path: Path) -> None:
    (key,) = re.findall(r"^AGE-SECRET-KEY-1\w+$", idle.kit.read_text("utf-8"), re.MULTILINE)
    paper, other = tmp_path / "paper.txt", tmp_path / "other.txt"
    paper.write_text(key)
    sealed = (idle.state / "keys" / "1.images.age").read_bytes()
    opened = idle.run("open", "--identity", str(paper), stdin=sealed)
    assert opened.returncode == OK and opened.stdout.startswith(b"AGE-SECRET-KEY-1")
    other.write_bytes(opened.stdout)
    for identity, source, code in [
        (other, sealed, REFUSED),
        (paper, sealed[:-1], DAMAGED),
        (paper, sealed[:-1] + bytes([sealed[-1] ^ 1]), DAMAGED),
        (paper, b"", DAMAGED),
        (paper, b"no age file", DAMAGED),
    ]:
        done = idle.run("open", "--identity", str(identity), stdin=source)
        assert (done.returncode, done.stdout) == (code, b""), done.stderr
        assert key.encode() not in done.stderr


def test_no_secret_is_in_the_arguments_or_environment_of_any_process(box: Box) -> None:
    with box.login() as client:
        token = client.cookies["negato_session"]
        (key,) = re.findall(r"^AGE-SECRET-KEY-1\w+$", box.kit.read_text("utf-8"), re.MULTILINE)
        seen = b""
        assert box.process is not None
        for pid in (box.process.pid, *box.children().values()):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(PermissionError):
                    seen += Path(f"/proc/{pid}/{name}").read_bytes()
    assert seen.count(str(box.state).encode()) >= 4, "the search reads what is there"
    for secret in (PASSPHRASE, token, key, "AGE-SECRET-KEY-1"):
        assert secret.encode() not in seen


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"http = [", USAGE, "not TOML"),
        (b'http = "\xff"', USAGE, "not TOML"),
        (b"nosuch = 1", USAGE, "nosuch"),
        (b"associations = 'DUPONT^Marie'", USAGE, "associations"),
        (None, ENVIRONMENT, "cannot be read"),
    ],
)
def test_settings_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None, code: int, words: str) -> None:
    # The kernel lets nobody read address 0 of a process: a file that is there and cannot be read, even by root.
    file = Path("/proc/self/mem") if content is None else tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    done = run_patched(str(file), "status", "--state", str(tmp_path))
    assert done.returncode == code, done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr and "DUPONT" not in done.stderr


@pytest.mark.parametrize("title", ["", " ", "CAF\u00c9", "A\\B", "SEVENTEEN_LETTERS"])
def test_a_title_that_no_application_entity_can_have_exits_with_2(idle: Box, tmp_path: Path, title: str) -> None:
    box = Box(tmp_path)
    box.environment |= {"NEGATO_AE_TITLE": title}
    done = box.run("serve", "--state", str(idle.state), timeout=20)
    assert done.returncode == USAGE and b"ae_title" in done.stderr.lower(), done.stderr


@pytest.mark.parametrize("name", ["127.0.0.1", "cabinet", "cabinet.example.0x7f", "-x.example", "Cabinet.example"])
def test_a_public_name_that_is_none_of_the_dns_exits_with_2(idle: Box, tmp_path: Path, name: str) -> None:
    box = Box(tmp_path)
    box.environment |= {"NEGATO_PUBLIC_NAME": name}
    done = box.run("serve", "--state", str(idle.state), timeout=20)
    assert done.returncode == USAGE and b"public_name" in done.stderr, done.stderr


@pytest.mark.parametrize("setting", ["NEGATO_HOSTS", "NEGATO_ASSOCIATIONS", "NEGATO_AE_TITLE"])
def test_a_wrong_setting_of_the_environment_exits_with_2(idle: Box, tmp_path: Path, setting: str) -> None:
    box = Box(tmp_path)
    box.environment |= {setting: "not-of-this-form-and-long"}
    done = box.run("status", "--state", str(idle.state))
    assert done.returncode == USAGE
    assert b"etting" in done.stderr and b"not-of-this-form" not in done.stderr and b"Traceback" not in done.stderr


def test_an_unexpected_failure_shows_where_it_was_and_no_value(idle: Box) -> None:
    done = run_patched("fails", "status", "--state", str(idle.state))
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr and "DUPONT" not in done.stderr and "Traceback" not in done.stderr
