"""The scripts that run on hosts."""

from __future__ import annotations

import os
from functools import cache


@cache
def resource(name: str) -> str:
    """Return a script of this directory."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()
