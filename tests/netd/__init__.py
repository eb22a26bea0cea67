"""Tests of the process that holds the tunnel, on networks of their own."""
