"""Steps that provision a host, as pure decisions over facts, and their undo."""
