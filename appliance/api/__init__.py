"""The pages' own HTTP interface."""
