"""Verbs that share machines."""
