"""Négatoscope: a sealed light box for a medical practice."""

__version__ = "0.1.0"
