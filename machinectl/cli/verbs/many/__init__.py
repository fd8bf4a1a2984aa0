"""Verbs for fleets, networks and swarms."""
