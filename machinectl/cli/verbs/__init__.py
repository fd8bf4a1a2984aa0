"""The verbs by topic. A module has the name of its first verb."""
