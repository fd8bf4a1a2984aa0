"""Read and convert docker-machine's records; never write them."""
