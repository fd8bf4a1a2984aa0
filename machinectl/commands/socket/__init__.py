"""The verbs `socket …`."""
