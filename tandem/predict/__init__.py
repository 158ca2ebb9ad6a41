"""A trained student at work."""
