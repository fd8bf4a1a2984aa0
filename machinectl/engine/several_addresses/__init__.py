"""Connect to an engine that has several addresses."""
