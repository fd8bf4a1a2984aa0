"""The verbs of `swarm`, one a file."""
