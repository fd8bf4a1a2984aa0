"""The system's ssh: its command lines, its config files, and connections that it keeps open."""
