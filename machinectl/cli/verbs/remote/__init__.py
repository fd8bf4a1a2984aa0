"""Verbs that run commands and copy files on hosts."""
