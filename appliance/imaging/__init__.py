"""Pictures as values: encoded bytes in, pixels out, no IO."""
