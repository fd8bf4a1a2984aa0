"""The steps that set up a host, each a pure decision over facts, and those that undo it."""
