"""The command line: parse it, call a command, print the result, set the exit code."""
