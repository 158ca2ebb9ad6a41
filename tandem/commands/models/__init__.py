"""Trained models on this machine: predict, annotate, export, import."""
