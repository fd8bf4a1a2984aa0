"""Export machines to other programs."""
