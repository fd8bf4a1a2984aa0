"""The texts in the source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# What a text's own values stand for; what the person has to fill in is marked: <DIR>.
VALUE = "value"


def modules() -> list[Path]:
    """Return machinectl's modules and the drivers'."""
    return sorted([*(ROOT / "machinectl").rglob("*.py"), *(ROOT / "drivers").rglob("*.py")])


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with their lines, without docstrings; VALUE stands for each of their values."""
    tree = ast.parse(module.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(getattr(part, "value", VALUE)) if isinstance(part, ast.Constant) else VALUE
                    for part in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | documentation:
            yield node.lineno, node.value
