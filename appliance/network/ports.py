"""The table of ports: nothing else is ever opened."""

from __future__ import annotations

from typing import Final

WIREGUARD: Final = 51820  # UDP, from anywhere; the number can be set
PAGES: Final = (80, 443)  # TCP, in the tunnel
NARROW_PAGES: Final = (80,)  # TCP, for a peer that may see the recovery page or the wizard alone
QUERY: Final = 11113  # TCP, in the tunnel and from confirmed senders
DICOM: Final = 11112  # TCP, from confirmed senders on the practice's network

LOWEST_WIREGUARD: Final = 1024
HIGHEST: Final = 65535
