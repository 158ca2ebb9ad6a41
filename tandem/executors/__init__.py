"""Where a run's processes live: one small interface, and what implements it."""
