"""The verbs by topic. A module has its first verb's name."""
