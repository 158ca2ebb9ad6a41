"""What teaching is worth, on data that ships inside packages; `python -m benchmarks.learning`."""
