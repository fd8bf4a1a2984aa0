"""Wake hosts, and wait until they are off or back after a boot."""
