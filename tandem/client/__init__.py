"""A small typed client of the service: `connect()` finds it, `Client` speaks to it."""
