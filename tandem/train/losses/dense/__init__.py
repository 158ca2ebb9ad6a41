"""Losses on dense features, one file each."""
