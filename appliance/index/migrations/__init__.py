"""Alembic's environment for the index, run by :mod:`appliance.index.migrate` alone."""
