"""Bring machines to what a fleet file says."""
