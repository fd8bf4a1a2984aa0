"""Write to stdout and stderr: the terminal, boards, streams, sanitised text, errors and exit statuses."""
