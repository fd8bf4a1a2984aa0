"""Work on many machines at once."""
