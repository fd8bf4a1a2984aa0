"""A unix socket on this computer for a machine's engine."""
