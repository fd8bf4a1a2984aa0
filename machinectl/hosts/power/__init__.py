"""Wake hosts, and watch them shut down and boot."""
