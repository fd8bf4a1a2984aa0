"""Use paramiko, by its public API."""
