"""teachers, one file each."""
