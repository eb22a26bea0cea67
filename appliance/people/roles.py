"""The roles, and what of the archive each may open."""

from __future__ import annotations

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
