"""Our SSH client, on paramiko."""
