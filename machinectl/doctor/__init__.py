"""Find faults of a machine or this computer; changes nothing."""
