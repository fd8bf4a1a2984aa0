"""Renew certificates in time: what is due, and the daily timer."""
