"""A host becomes an engine host: what it is like (facts), what to do about it (steps), and how that is undone."""

from __future__ import annotations

import os
from functools import cache


@cache
def resource(name: str) -> str:
    """A shell script for a host."""
    with open(os.path.join(os.path.dirname(__file__), "scripts", name), encoding="utf-8") as file:
        return file.read()
