"""The box's network as data: what is wanted, and the texts that say so to WireGuard, nftables and phones."""
