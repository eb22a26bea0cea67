"""What keeps the box going, its beginning included."""
