"""A job: a model through everything in a folder, a ZIP or a data set, to be gone on with."""
