"""Declarations of all verbs and options. Light path."""
