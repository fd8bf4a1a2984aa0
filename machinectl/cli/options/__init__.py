"""Options that verbs share, requests for help, and how verbs run."""
