"""The verbs of `swarm`."""
