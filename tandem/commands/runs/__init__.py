"""Runs in this process: their arguments, their training, their report."""
