"""The state of machines."""
