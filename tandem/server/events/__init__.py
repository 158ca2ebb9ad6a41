"""What runs say: absorbed into the data base, streamed, drawn as curves."""
