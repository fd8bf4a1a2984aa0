"""YAML with places, for errors."""
