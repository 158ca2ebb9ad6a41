"""What this machine has and is set to: configuration, catalog, caches, the doctor."""
