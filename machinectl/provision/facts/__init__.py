"""Read and parse facts about a host."""
