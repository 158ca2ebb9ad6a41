"""Who waits for what, in which order."""
