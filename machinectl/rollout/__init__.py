"""How machines are brought to what a fleet's file says."""
