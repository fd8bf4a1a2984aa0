"""A machine's certificates: read, check, sign, keep pending."""
