"""engines, one file each."""
