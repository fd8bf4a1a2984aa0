"""Print machines, containers and results as tables and lines."""
