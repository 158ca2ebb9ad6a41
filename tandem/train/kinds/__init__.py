"""kinds, one file each."""
