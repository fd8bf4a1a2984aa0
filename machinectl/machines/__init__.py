"""Machines' records and files in the store."""
