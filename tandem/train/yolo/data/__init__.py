"""A detection split as Ultralytics takes it: images, order, mosaics, and where each source lies."""
