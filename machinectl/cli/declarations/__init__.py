"""Every verb with its options, declared once as data. Part of the light path."""
