"""Log in to hosts, and run commands there, by the system's ssh or by paramiko."""
