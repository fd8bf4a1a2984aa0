"""Verbs that create, change, remove and look after machines."""
