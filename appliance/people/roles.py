"""The roles, and what of the archive each may open."""

from __future__ import annotations

from typing import Literal

from appliance.errors import BadInput, Refused
from appliance.paths import Kind

ROLES = ("owner", "doctor", "assistant", "technician")

# (role, the owner's grant of images) -> kinds of identities; what is not here cannot be (DESIGN, "People").
_READS: dict[tuple[str, bool], tuple[Kind, ...]] = {
    ("owner", False): ("notes", "images"),
    ("doctor", False): ("notes", "images"),
    ("assistant", False): ("notes",),
    ("assistant", True): ("notes", "images"),
    ("technician", False): (),
}


def reads(role: str, sees_images: bool) -> tuple[Kind, ...]:
    """Return which identities of every epoch somebody holds.

    Raises :class:`BadInput` for an unknown role, :class:`Refused` for a grant that this role cannot have.
    """
    if role not in ROLES:
        raise BadInput(f"There is no role {role}.", f"Choose one of {', '.join(ROLES)}.")
    if role == "technician" and sees_images:
        raise Refused("A technician is never given images.", "Give another role, for example assistant.")
    # Owners and doctors see images anyway: granting it to them changes nothing.
    return _READS[role, sees_images and role == "assistant"]


Act = Literal["devices", "equipment", "endpoints"]

# (role, is it about oneself) -> what of the tunnel somebody may change (DESIGN, "People").
_MAY: dict[tuple[str, bool], frozenset[Act]] = {
    ("owner", True): frozenset({"devices", "equipment", "endpoints"}),
    ("owner", False): frozenset({"devices", "equipment", "endpoints"}),
    ("doctor", True): frozenset({"devices"}),
    ("assistant", True): frozenset({"devices"}),
    ("technician", True): frozenset({"equipment", "endpoints"}),
    ("technician", False): frozenset({"equipment", "endpoints"}),
}


def may(role: str, act: Act, own: bool = False) -> bool:
    """Return whether a role may change devices (``own``: the person's own ones), equipment or endpoints."""
    return act in _MAY.get((role, own), frozenset())
