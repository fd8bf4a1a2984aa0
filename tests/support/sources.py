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


def texts(module: Path, *, declared: bool = True) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with their lines, without docstrings; VALUE stands for each of their values.

    Unless `declared`, leave out those of the declarations of verbs.
    """
    skipped: set[int] = set()
    tree = ast.parse(module.read_text())
    if not declared and module.parent.name == "verbs":
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    # A node comes before its parts.
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Hint":
            command = node.args[1:]
            skipped |= {id(part) for each in command for part in ast.walk(each)}
            yield node.lineno, " ".join(text_of(word) or "''" for word in command)
        elif isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            skipped |= {id(part) for part in ast.walk(node)}
            yield node.lineno, text_of(node)
        elif isinstance(node, ast.Expr):
            skipped.add(id(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else VALUE
