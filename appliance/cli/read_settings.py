"""Settings for a command: the environment and the file, with what the command line says on top."""

from __future__ import annotations

import tomllib
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from appliance.errors import BadInput, EnvironmentProblem
from appliance.settings import SYSTEM_FILE, Settings


def read_settings(**given: Any) -> Settings:
    """Return the settings; options that are ``None`` were not given.

    :class:`BadInput` names a wrong one, :class:`EnvironmentProblem` says that the file cannot be read.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The setting {name} is wrong: {first['msg']}.", "See docs/settings.md.") from error
    except SettingsError as error:
        # Its message quotes the value; its field does not.
        raise BadInput("A setting of the environment is not of the form it takes.", "See docs/settings.md.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{SYSTEM_FILE} is not TOML.", "Mend it, or take it away to use the defaults.") from error
    except OSError as error:
        raise EnvironmentProblem(f"{SYSTEM_FILE} cannot be read: {error.strerror}.", "Look at its rights.") from error
