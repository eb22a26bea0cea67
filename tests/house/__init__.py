"""Tests of the house itself: contracts between rooms, installation, units, role, documents."""
