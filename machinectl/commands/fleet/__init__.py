"""The verbs of `fleet`, one a file."""
