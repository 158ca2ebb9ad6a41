"""Trained models: which there are, tried, exported, brought in."""
