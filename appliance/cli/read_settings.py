"""Settings for a command: the environment and the file, with what the command line says on top."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from appliance.errors import BadInput
from appliance.settings import Settings


def read_settings(**given: Any) -> Settings:
    """Return the settings; options that are ``None`` were not given. :class:`BadInput` names a wrong one."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The setting {name} is wrong: {first['msg']}.", "See docs/settings.md.") from error
