"""The ways to a machine: its driver, its engine's endpoint, the SSH login, and programs that use them."""
