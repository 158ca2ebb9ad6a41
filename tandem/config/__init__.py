"""What is configured on this machine, and where each value came from. No torch."""
