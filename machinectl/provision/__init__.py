"""Set up a host as a Docker host: facts about it, the steps that those lead to, and their undo."""

from __future__ import annotations

import os
from functools import cache


@cache
def resource(name: str) -> str:
    """Return the text of a shell script in scripts/."""
    with open(os.path.join(os.path.dirname(__file__), "scripts", name), encoding="utf-8") as file:
        return file.read()
