"""The sealed format, tried from outside."""
