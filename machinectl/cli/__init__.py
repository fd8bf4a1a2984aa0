"""The command line: parse, call a command, print what it returns, map errors to exit codes."""
