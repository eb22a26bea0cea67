"""Sample images, built by scripts: the same call gives the same bytes."""
