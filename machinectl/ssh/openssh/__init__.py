"""Use the system's ssh: command lines, config files and kept connections."""
