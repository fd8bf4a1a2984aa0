"""The verbs, by what they are about. A module is named after its first verb."""
