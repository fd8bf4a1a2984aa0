"""Connect to a machine: its driver, its engine's endpoint, SSH logins, and programs that use them."""
