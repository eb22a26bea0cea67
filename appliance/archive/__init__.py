"""The truth on disk: sealed objects, notes and what arrived last."""
