"""Give others access to a machine's engine, and end it."""
