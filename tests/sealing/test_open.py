"""``appliance open`` writes the plaintext of a sealed file, or nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.cli.open import open_command
from appliance.errors import BadInput, Damaged, EnvironmentProblem, NegatoError, Refused, StorageFull
from appliance.sealing.identities import Identity
from appliance.sealing.stream import CHUNK_SIZE

from .forge import IDENTITY, OURS, header, sealed

LARGE = bytes(range(256)) * (12 * 1024 * 1024 // 256)  # beyond what is spooled in memory


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "identity.txt"
    path.write_text(f"# a comment\n{IDENTITY.reveal()}\n")
    return path


def opened(identity: Path, source: BinaryIO, tmp: Path | None = None) -> bytes:
    sink = io.BytesIO()
    try:
        open_command(identity, source, sink, tmp)
    except NegatoError:
        assert sink.getvalue() == b"", "a file that failed has written something"
        raise
    return sink.getvalue()


@pytest.mark.parametrize("text", [b"", b"age", bytes(3 * CHUNK_SIZE + 5)])
def test_a_sealed_file_opens_from_a_file_or_a_pipe(identity: Path, tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(sealed(text))
    with path.open("rb") as file:
        assert opened(identity, file) == text
    assert opened(identity, io.BytesIO(sealed(text))) == text
    with path.open("rb", buffering=0) as raw:
        assert opened(identity, raw) == text


def test_a_sealed_file_after_other_bytes_of_a_file_opens(identity: Path, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(b"before" + sealed(b"age"))
    with path.open("rb") as file:
        file.read(6)
        assert opened(identity, file) == b"age"


def test_an_output_that_takes_little_at_a_time_gets_everything(identity: Path) -> None:
    class Dribble(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(bytes(data[:1000]))

    sink = Dribble()
    open_command(identity, io.BytesIO(sealed(LARGE[:200_000])), sink)
    assert sink.getvalue() == LARGE[:200_000]


@pytest.mark.parametrize("as_file", [True, False])
def test_a_file_damaged_in_its_last_byte_has_written_nothing(identity: Path, tmp_path: Path, as_file: bool) -> None:
    raw = bytearray(sealed(LARGE))
    raw[-1] ^= 1
    middle = bytearray(sealed(LARGE))
    middle[5_000_000] ^= 1
    for number, damaged in enumerate((raw, middle, raw[:-1], raw[:100_000], raw[:100], raw + b"\0")):
        path = tmp_path / str(number)
        path.write_bytes(damaged)
        source: BinaryIO = path.open("rb") if as_file else io.BytesIO(bytes(damaged))
        with source, pytest.raises(Damaged):
            opened(identity, source)


def test_the_spool_holds_ciphertext_under_no_name(
    identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    seen: list[tuple[list[str], bytes]] = []

    class Watching(io.BytesIO):
        def flush(self) -> None:
            for descriptor in Path("/proc/self/fd").iterdir():
                try:
                    target = str(descriptor.readlink())
                except OSError:
                    continue
                if target.startswith(str(spool)):
                    seen.append(([entry.name for entry in spool.iterdir()], descriptor.read_bytes()))

    sink = Watching()
    open_command(identity, io.BytesIO(sealed(LARGE)), sink, spool)
    assert sink.getvalue() == LARGE
    [(names, spooled)] = seen
    assert names == []
    assert spooled == sealed(LARGE)
    assert LARGE[:256] not in spooled


def test_a_file_for_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text(Identity.generate().reveal())
    with pytest.raises(Refused):
        opened(path, io.BytesIO(sealed()))


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\xfe", b"x" * 100_000, None])
def test_a_file_without_an_identity_is_bad_input(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "identity.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput):
        opened(path, io.BytesIO(sealed()))


def test_a_full_disk_says_so(identity: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(StorageFull):
        open_command(identity, io.BytesIO(sealed(LARGE)), full)
    with pytest.raises(EnvironmentProblem):
        opened(identity, io.BytesIO(sealed(LARGE)), tmp_path / "missing")


def test_input_that_cannot_be_read_says_so(identity: Path) -> None:
    class BrokenDisk(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _target: object) -> int:
            raise OSError(5, "input/output error")

    with pytest.raises(EnvironmentProblem):
        opened(identity, io.BufferedReader(BrokenDisk()))


PROGRAM = """
import sys
from pathlib import Path
from appliance.cli.open import open_command
from appliance.errors import NegatoError
try:
    open_command(Path(sys.argv[1]))
except NegatoError as error:
    sys.exit(error.exit_code)
"""


def test_unbuffered_standard_output_into_a_slow_pipe_loses_nothing(identity: Path) -> None:
    command = [sys.executable, "-u", "-c", PROGRAM, str(identity)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sealed(LARGE))
        process.stdin.close()
        taken = bytearray()
        while piece := process.stdout.read(7777):
            taken += piece
    assert (process.returncode, bytes(taken)) == (0, LARGE)


@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        (sealed(LARGE), 0, LARGE),
        (sealed(b""), 0, b""),
        (sealed(LARGE)[:-1], 5, b""),
        (header(OURS), 5, b""),
        (b"", 5, b""),
        (sealed(b"age", b"-> future\n\n"), 4, b""),
    ],
    ids=["large", "empty", "cut", "header only", "nothing", "somebody else's"],
)
def test_standard_input_to_standard_output(identity: Path, tmp_path: Path, raw: bytes, code: int, text: bytes) -> None:
    command = [sys.executable, "-c", PROGRAM, str(identity)]
    piped = subprocess.run(command, input=raw, capture_output=True, timeout=60, check=False)
    assert (piped.returncode, piped.stdout) == (code, text)
    path = tmp_path / "sealed"
    path.write_bytes(raw)
    with path.open("rb") as file:
        redirected = subprocess.run(command, stdin=file, capture_output=True, timeout=60, check=False)
    assert (redirected.returncode, redirected.stdout) == (code, text)


@pytest.mark.parametrize(("closed", "name"), [("<&-", "input"), (">&-", "output")])
def test_a_closed_standard_stream_is_told(identity: Path, tmp_path: Path, closed: str, name: str) -> None:
    sealed_file = tmp_path / "sealed"
    sealed_file.write_bytes(sealed())
    line = f'"$1" -m appliance.cli.main open --identity "$2" <"$3" {closed}'
    done = subprocess.run(["sh", "-c", line, "sh", sys.executable, identity, sealed_file], stderr=subprocess.PIPE)
    assert done.returncode == EnvironmentProblem.exit_code
    assert f"Standard {name} is closed" in done.stderr.decode()


def test_a_whole_sheet_is_told_which_line_of_it_is_the_key(tmp_path: Path) -> None:
    path = tmp_path / "sheet.txt"
    path.write_text(f"Recovery sheet\n\n{IDENTITY.reveal()}\n")
    with pytest.raises(BadInput) as told:
        opened(path, io.BytesIO(sealed()))
    assert "begins with AGE-SECRET-KEY-1" in told.value.next_step
    path.write_text(IDENTITY.reveal()[:-1] + "\n")
    with pytest.raises(BadInput, match="not a key"):
        opened(path, io.BytesIO(sealed()))
