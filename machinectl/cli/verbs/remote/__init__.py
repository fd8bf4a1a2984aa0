"""Verbs that run commands on hosts, and copy files to and from them."""
