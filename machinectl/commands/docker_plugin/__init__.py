"""The verbs of `docker-plugin`, one a file."""
