"""What can be set, read once at the start of a process from NEGATO_* variables and settings.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

SYSTEM_STATE = Path("/var/lib/negatoscope")
SYSTEM_RUN = Path("/run/negatoscope")
SYSTEM_FILE = Path("/etc/negatoscope/settings.toml")
# A name of the DNS, or none.
NAME = r"^$|^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
# An application entity's title (PS3.5 6.2): printable ASCII without backslash, no space at either end.
AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"


class Settings(BaseSettings):
    """Settings of one appliance; a variable of the environment wins over the file."""

    model_config = SettingsConfigDict(env_prefix="NEGATO_", extra="forbid", frozen=True)

    state: Path = Field(default=SYSTEM_STATE, description="Directory that holds everything kept, sealed.")
    run: Path | None = Field(default=None, description="Directory of the sockets; by default beside the state.")
    http: str = Field(default="127.0.0.1:8080", description="HOST:PORT of the pages.")
    dicom: str = Field(default="127.0.0.1:11112", description="HOST:PORT where modalities send.")
    ae_title: str = Field(
        default="NEGATOSCOPE",
        pattern=AE_TITLE,
        description="Our AE title, 16 characters at most; a sender must call it.",
    )
    web_root: Path | None = Field(default=None, description="Directory of the built pages.")
    https: str = Field(default="", description="HOST:PORT of the pages with TLS; empty for none.")
    hosts: list[str] = Field(
        default_factory=list, description="Further host names under which the pages may be asked for."
    )
    idle_minutes: float = Field(
        default=30, ge=0.1, le=720, description="A session ends after so long without a request."
    )
    session_hours: int = Field(default=12, ge=1, le=24, description="A session ends after so long in any case.")
    reserve_mib: int = Field(default=64, ge=0, description="Storing is refused when less than this would stay free.")
    largest_mib: int = Field(default=2048, ge=1, le=4096, description="The largest object that is accepted.")
    associations: int = Field(default=32, ge=1, le=256, description="So many senders at once.")
    decoder_jobs: int = Field(default=2, ge=1, le=16, description="So many pictures are decoded at once.")

    tunnel: Literal["none", "fake", "real"] = Field(
        default="none", description="Who holds the network: nobody, a stand-in that changes nothing, or netd."
    )
    wireguard_port: int = Field(
        default=51820, ge=1024, le=65535, description="The one UDP port that is open to the internet."
    )

    courier: Literal["none", "real"] = Field(
        default="none", description="Who asks the router to let the tunnel's port through: nobody, or the courier."
    )
    public_name: str = Field(
        default="",
        max_length=253,
        pattern=NAME,
        description="Name under which the internet finds the practice's line, kept by dynamic DNS; for new devices.",
    )

    tls: Literal["plain", "acme"] = Field(
        default="plain", description="Where the pages live: http at the box's address, or https at its name."
    )
    tls_name: str = Field(
        default="",
        max_length=253,
        pattern=NAME,
        description="The box's name in the tunnel, with a certificate of its own.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, then the file; no dotenv, no secrets directory."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, SYSTEM_FILE)

    @property
    def run_root(self) -> Path:
        """Return the directory of the sockets."""
        if self.run is not None:
            return self.run
        return SYSTEM_RUN if self.state == SYSTEM_STATE else self.state / "run"
