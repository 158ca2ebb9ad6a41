"""Our own training loop, over processes and precisions by Accelerate."""
