"""Read and check fleet files."""
