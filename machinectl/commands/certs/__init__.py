"""The verbs of `certs`."""
