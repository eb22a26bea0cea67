"""Keys on disk, and the one process that holds open ones."""
