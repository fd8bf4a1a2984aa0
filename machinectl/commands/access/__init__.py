"""The verbs of `access`."""
