"""The service: run it, and speak to it about its tasks."""
