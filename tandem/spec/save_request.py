"""What a running trainer may be asked through its folder, under whichever executor it runs."""

SAVE_NOW = ".save-now"
"""A file of this name in the run's folder: save a checkpoint after the step you are in.

A signal would not do: torchrun passes none on to its workers.
"""
