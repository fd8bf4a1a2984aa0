"""The verbs of `builder`."""
