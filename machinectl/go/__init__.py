"""Go's text/template and text/tabwriter as far as docker-machine's users know them."""
