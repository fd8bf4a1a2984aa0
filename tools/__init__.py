"""Write what is built from the command line: see `generate`."""
