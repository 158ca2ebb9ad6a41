"""An annotation job: a model through everything in a folder, a ZIP or a data set, resumable."""
