"""Go's text/template and text/tabwriter, as docker-machine's users need them."""
