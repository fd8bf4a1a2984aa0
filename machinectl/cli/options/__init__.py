"""Options that verbs share, the layout of --help, and the code that runs a declared verb."""
