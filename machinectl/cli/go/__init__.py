"""The parts of Go's text/template and text/tabwriter that docker-machine's users need."""
