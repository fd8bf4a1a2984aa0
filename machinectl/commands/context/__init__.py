"""The verbs of `context`."""
