"""Move an image from one source to many engines."""
