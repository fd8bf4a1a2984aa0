"""Connections to an engine for asyncio, whose two directions end apart."""
