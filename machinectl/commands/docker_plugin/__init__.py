"""The verbs of `docker-plugin`."""
