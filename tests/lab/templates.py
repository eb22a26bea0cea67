"""The files of the Ansible roles, as Ansible's own Jinja2 renders them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROLES = Path(__file__).parents[2] / "ansible/roles"
RENDER = """
import jinja2, json, sys
environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
print(environment.from_string(open(sys.argv[1]).read()).render(json.loads(sys.argv[2])))
"""


def rendered(role: str, name: str, **values: object) -> str:
    """Return the template ``name`` of ``role`` with its variables."""
    template = ROLES / role / "templates" / name
    command = ["/usr/bin/python3", "-c", RENDER, str(template), json.dumps(values)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
