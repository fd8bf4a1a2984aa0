"""A machine's certificates: read, check, sign, and keep pending ones until the engine serves them."""
