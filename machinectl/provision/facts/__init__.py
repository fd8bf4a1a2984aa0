"""What a host is like, read by one script and parsed."""
