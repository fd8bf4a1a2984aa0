"""Our SSH client, on paramiko: connect, log in, run commands, copy files."""
