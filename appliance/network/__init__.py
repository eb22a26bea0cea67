"""The network as data: what is wanted, and the texts that programs and phones read. No IO."""
