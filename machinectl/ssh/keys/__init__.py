"""Host keys, private keys, known_hosts and passwords."""
