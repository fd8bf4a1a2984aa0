"""Inventories of machines for other tools."""
