"""A browser's session: the service's token, shown once, becomes a cookie."""
