"""What is written of a data set: another layout, another split, and what writers share."""
