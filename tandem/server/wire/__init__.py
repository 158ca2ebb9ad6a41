"""The only place that knows camelCase, the envelope and installed systems' names."""
