"""docker-machine's records: read and converted, never written."""
