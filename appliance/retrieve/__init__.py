"""Every path on which pixels leave the archive."""
