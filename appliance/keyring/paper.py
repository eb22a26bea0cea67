"""The paper key, shown to prove who holds the recovery sheet."""

from __future__ import annotations

from appliance.errors import BadInput, Damaged, Refused
from appliance.keyring.epochs import LARGEST_KEY_FILE
from appliance.keyring.public import KINDS, epoch_numbers
from appliance.paths import StatePaths
from appliance.regular import open_regular
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.words import from_words


def require_paper_key(paths: StatePaths, text: str) -> None:
    """Return if ``text`` is the paper key, as ``AGE-SECRET-KEY-1...`` or as its 24 words; else :class:`Refused`.

    It is the paper key if it opens both identities of the newest epoch: what lies beside them in clear proves nothing.
    """
    try:
        identity = _identity(text)
    except BadInput:
        raise _refused() from None
    newest = epoch_numbers(paths)[-1]
    for kind in KINDS:
        try:
            with open_regular(paths.epoch_identity(newest, kind), LARGEST_KEY_FILE) as file:
                header = read_header(file)
        except OSError as error:
            raise Damaged("The keys of the archive cannot be read.", "Restore keys/ from a backup.") from error
        try:
            unwrap([identity], header)
        except Refused:
            raise _refused() from None


def _identity(text: str) -> Identity:
    shown = "".join(text.split()).upper()
    return Identity.parse(shown) if shown.startswith("AGE-") else Identity(from_words(text))


def _refused() -> Refused:
    return Refused("This is not the key of the recovery sheet.", "Check its words, or scan its code again.")
