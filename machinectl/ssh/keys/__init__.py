"""Keys and passwords of SSH: host keys, private keys, known_hosts."""
