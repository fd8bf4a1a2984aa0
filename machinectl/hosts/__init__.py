"""Work on a machine's host that several verbs share."""
