"""Renew certificates, and upgrade engines."""
