"""Read and check a fleet file."""
