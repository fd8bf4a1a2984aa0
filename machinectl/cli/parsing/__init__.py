"""Read command lines: Go-style flags, lookahead for Typer, completion, and calls by docker."""
