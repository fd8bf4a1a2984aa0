"""Facts about a host, read by one script and parsed."""
