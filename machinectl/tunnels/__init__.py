"""Bring an engine and the ports of its containers to this computer: `socket` and `forward`."""
