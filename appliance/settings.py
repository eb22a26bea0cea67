"""What can be set, read once at the start of a process from NEGATO_* variables and settings.toml."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from appliance.errors import BadInput, EnvironmentProblem

PREFIX = "NEGATO_"
SYSTEM_STATE = Path("/var/lib/negatoscope")
SYSTEM_RUN = Path("/run/negatoscope")
SYSTEM_FILE = Path("/etc/negatoscope/settings.toml")
# A name of the DNS, or none; with a number as its last label it would be an address.
NAME = r"^$|^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$|0x[0-9a-f]*$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
# An application entity's title (PS3.5 6.2): printable ASCII without backslash, no space at either end.
AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one appliance, with their defaults; :func:`read_settings` reads and checks them."""

    state: Path = SYSTEM_STATE
    """Directory that holds everything kept, sealed."""
    run: Path | None = None
    """Directory of the sockets; by default beside the state."""
    http: str = "127.0.0.1:8080"
    """HOST:PORT of the pages."""
    dicom: str = "127.0.0.1:11112"
    """HOST:PORT where modalities send."""
    ae_title: Annotated[str, Meta(pattern=AE_TITLE)] = "NEGATOSCOPE"
    """Our AE title, 16 characters at most; a sender must call it."""
    web_root: Path | None = None
    """Directory of the built pages."""
    https: str = ""
    """HOST:PORT of the pages with TLS; empty for none."""
    hosts: list[str] = msgspec.field(default_factory=list)
    """Further host names under which the pages may be asked for."""
    idle_minutes: Annotated[float, Meta(ge=0.1, le=720)] = 30
    """A session ends after so long without a request."""
    session_hours: Annotated[int, Meta(ge=1, le=24)] = 12
    """A session ends after so long in any case."""
    reserve_mib: Annotated[int, Meta(ge=0)] = 64
    """Storing is refused when less than this would stay free."""
    largest_mib: Annotated[int, Meta(ge=1, le=4096)] = 2048
    """The largest object that is accepted."""
    associations: Annotated[int, Meta(ge=1, le=256)] = 32
    """So many senders at once."""
    decoder_jobs: Annotated[int, Meta(ge=1, le=16)] = 2
    """So many pictures are decoded at once."""

    tunnel: Literal["none", "fake", "real"] = "none"
    """Who holds the network: nobody, a stand-in that changes nothing, or netd."""
    wireguard_port: Annotated[int, Meta(ge=1024, le=65535)] = 51820
    """The one UDP port that is open to the internet."""

    courier: Literal["none", "real"] = "none"
    """Who asks the router to let the tunnel's port through: nobody, or the courier."""
    public_name: Annotated[str, Meta(max_length=253, pattern=NAME)] = ""
    """Name under which the internet finds the practice's line, kept by dynamic DNS; for new devices."""

    tls: Literal["plain", "acme"] = "plain"
    """Where the pages live: http at the box's address, or https at its name."""
    tls_name: Annotated[str, Meta(max_length=253, pattern=NAME)] = ""
    """The box's name in the tunnel, with a certificate of its own."""

    @property
    def run_root(self) -> Path:
        """Return the directory of the sockets."""
        if self.run is not None:
            return self.run
        return SYSTEM_RUN if self.state == SYSTEM_STATE else self.state / "run"


def read_settings(**given: Any) -> Settings:
    """Return the settings: what is given (``None`` is not), else the environment, else the file, else the default.

    :class:`BadInput` names a wrong one and holds no value, :class:`EnvironmentProblem` says that the file cannot be
    read.
    """
    said = {name: str(value) for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(_file() | _environment() | said, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise BadInput(_what_is_wrong(str(error)), "See docs/settings.md.") from None


def _what_is_wrong(text: str) -> str:
    """Return msgspec's text in the house's words: which setting, and what it takes, but never what it was."""
    what, _, where = text.partition(" - at `$.")
    name = where.rstrip("`")
    if not name:
        return "A setting is not known: " + what.rpartition(" ")[2].strip("`") + "."
    if what.startswith("Invalid enum value"):
        what = "it is one of " + ", ".join(get_args(get_type_hints(Settings)[name]))
    elif "matching regex" in what:
        what = "it has not the form that it takes"
    return f"The setting {name} is wrong: {what}."


def _environment() -> dict[str, object]:
    found: dict[str, object] = {}
    for name, kind in Settings.__annotations__.items():
        text = os.environ.get(f"{PREFIX}{name.upper()}")
        if text is None:
            continue
        try:
            found[name] = msgspec.json.decode(text) if kind.startswith("list") else text
        except msgspec.DecodeError:
            raise BadInput(f"The setting {name} is wrong: expected a JSON list.", "See docs/settings.md.") from None
    return found


def _file() -> dict[str, object]:
    try:
        return tomllib.loads(SYSTEM_FILE.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise BadInput(f"{SYSTEM_FILE} is not TOML.", "Mend it, or take it away to use the defaults.") from None
    except OSError as error:
        raise EnvironmentProblem(f"{SYSTEM_FILE} cannot be read: {error.strerror}.", "Look at its rights.") from error


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str):
        raise ValueError("Expected a path")
    return Path(value)
