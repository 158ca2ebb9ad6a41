"""Tasks: created, started, stopped, reported on, deleted."""
