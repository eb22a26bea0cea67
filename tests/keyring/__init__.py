"""People, their slots and the epochs, on real files."""
