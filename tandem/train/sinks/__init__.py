"""sinks, one file each."""
