"""What a host is like: the scripts' answers as values."""
