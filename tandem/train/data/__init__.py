"""What an epoch reads: tables of each kind, augmented views of their rows, and the loader."""
