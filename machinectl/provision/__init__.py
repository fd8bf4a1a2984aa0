"""Provision Docker hosts."""
