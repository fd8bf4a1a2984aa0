"""Find hosts in networks."""
