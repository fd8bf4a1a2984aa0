"""Find Docker hosts and SSH servers on the LAN."""
