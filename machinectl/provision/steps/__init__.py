"""The steps that set up a host, each a pure decision over facts, and how they are undone."""
