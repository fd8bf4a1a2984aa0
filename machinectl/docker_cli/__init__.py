"""Files of the docker CLI: its contexts, and our plugin `docker machine`."""
