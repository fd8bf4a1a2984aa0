"""Connect to an engine within a deadline: over TCP, TLS, a unix socket or ssh, at the first address that answers."""
