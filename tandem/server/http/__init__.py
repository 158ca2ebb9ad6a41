"""What HTTP asks of the service beside its resources: limits, refusals, the console, OpenAPI."""
