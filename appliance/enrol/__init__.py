"""The life of a device: invited, seen, claimed, paused, revoked; and the network that follows from it."""
