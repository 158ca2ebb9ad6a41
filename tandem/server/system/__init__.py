"""The machine, the catalog, health and metrics."""
