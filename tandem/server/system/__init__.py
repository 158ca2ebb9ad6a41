"""The machine, the catalogue, health and metrics."""
