"""Use the system's ssh."""
