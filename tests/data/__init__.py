"""Tests of the data layouts, by what people have and by what is wrong with it."""
