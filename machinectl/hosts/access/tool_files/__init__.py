"""The files that each tool needs to use engines over TLS, and the commands that make it use them.

Pure: names, URLs and certificates in, file contents and command lines out.
"""
