"""SSH keys and passwords: host keys, private keys, known_hosts."""
