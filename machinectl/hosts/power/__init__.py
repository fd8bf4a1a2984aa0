"""Whether hosts and engines run."""
