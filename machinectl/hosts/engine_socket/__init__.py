"""A unix socket on this computer that is a machine's engine."""
