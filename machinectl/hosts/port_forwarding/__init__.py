"""Forward ports of hosts and their containers to this computer."""
