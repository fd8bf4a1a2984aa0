"""Docker CLI files: contexts, and our plugin `docker machine`."""
