"""Options that verbs share, the layout of --help, and how verbs run."""
