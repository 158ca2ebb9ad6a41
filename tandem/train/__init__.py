"""Training. torch lives here; `python -m tandem.train SPEC` runs alone."""
