"""Create, set up, edit, adopt and remove machines and their hosts."""
