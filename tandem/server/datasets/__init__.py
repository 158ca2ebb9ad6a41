"""Data sets under the configured root."""
