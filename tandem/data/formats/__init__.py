"""formats, one file each."""
