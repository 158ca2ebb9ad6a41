"""Texts as numbers: tokenizers, and the table of a data set's texts."""
