"""Write to stdout and stderr, and set exit statuses."""
