"""Foreign models made Tandem's: read without running what is in them, and tried once."""
