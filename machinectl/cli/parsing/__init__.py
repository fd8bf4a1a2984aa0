"""Read command lines: Go's flags, lookahead for Typer, completion, docker's calls."""
