"""Connect to a machine: driver, engine, SSH, and OpenSSH programs."""
