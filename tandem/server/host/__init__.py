"""The machine the service runs on: its hardware, its clock, its paths."""
