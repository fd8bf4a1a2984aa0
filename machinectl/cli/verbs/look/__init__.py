"""Verbs that look at machines and change nothing."""
