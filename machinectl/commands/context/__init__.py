"""The verbs of `context`, one a file."""
