"""D-FINE (Peng et al. 2024): Transformers' network and loss as a student of our own loop."""
