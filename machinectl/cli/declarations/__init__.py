"""The declarations of all verbs and their options. Light path."""
