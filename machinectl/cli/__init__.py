"""The command line: parse it, call a command, print its result."""
