"""Requests and answers with which two people share a machine, as text for a chat or a file."""
