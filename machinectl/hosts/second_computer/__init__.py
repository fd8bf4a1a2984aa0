"""Copy machines to the user's other computer, in an encrypted file."""
