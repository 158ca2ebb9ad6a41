"""Old runs' checkpoints: which may go, and their deletion."""
