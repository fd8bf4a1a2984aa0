"""Verbs that point shells and docker at machines."""
