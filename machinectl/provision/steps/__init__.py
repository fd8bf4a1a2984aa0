"""Steps that provision a host, and their undo, as pure decisions."""
