"""Read command lines: Go's spellings of flags, what must be known before Typer parses, completion, calls by docker."""
