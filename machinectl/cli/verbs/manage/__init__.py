"""Verbs that create, change, remove and maintain machines."""
