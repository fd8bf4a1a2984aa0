"""Create, set up, edit, adopt and remove a machine and its host."""
