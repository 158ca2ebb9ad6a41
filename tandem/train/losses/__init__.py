"""losses, one file each."""
