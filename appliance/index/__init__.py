"""The index: what lists and searches answer from, derived from notes, encrypted, rebuilt at will."""
