"""students, one file each."""
