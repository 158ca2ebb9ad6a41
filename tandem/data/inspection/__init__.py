"""What is looked at in a data set: its faults, its figures, near copies, an index for pages."""
