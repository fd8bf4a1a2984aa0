"""Plan and apply a fleet file."""
