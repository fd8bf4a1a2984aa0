"""Find hosts in the networks that the user names."""
