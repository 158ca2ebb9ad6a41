"""A detection split as a loop takes it: order, canvases, and where each source lies on one."""
