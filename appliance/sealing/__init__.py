"""The age v1 file format, people's slots, recovery words."""
