"""What data sets hold: read, checked, converted and written, without torch."""
