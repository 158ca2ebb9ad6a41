"""knowledge, one file each."""
