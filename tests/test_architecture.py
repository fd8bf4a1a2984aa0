"""The structure of the code, as CONTRIBUTING describes it: sizes, names, and what imports what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.catalogue import ALL
from machinectl.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
# A room is flat.
MOST_MODULES, MOST_AT_THE_TOP = 42, 20
MOST_PARAMETERS, MOST_METHODS = 8, 15
# Names that CONTRIBUTING invents for its examples.
INVENTED = re.compile(r"frob|[A-Z]{4,}")
# A flag and a verb are declared by a call with many keywords.
DECLARING = ("machinectl.machines.flags", "machinectl.cli.catalogue")
# What an error says, and the methods that search or cut a text.
ERROR_TEXTS = {"cause", "hint", "error"}
READING = {
    "startswith",
    "endswith",
    "partition",
    "rpartition",
    "removeprefix",
    "removesuffix",
    "replace",
    "find",
    "count",
}
MATCHING = {"search", "match", "fullmatch", "sub", "split", "findall", "finditer"}
# Modules that still do.
READ_ERRORS = {
    # These join an error with a name, or with its hint.
    "machinectl.errors",
}
# What each feature that has it calls so.
OF_FEATURES = {"doctor_checks"}
VERBS = "machinectl.verbs"


@cache
def files() -> dict[str, Path]:
    """Return the modules' files by dotted names; a package is the name of its __init__."""
    found = {}
    for place in (ROOT, ROOT / "drivers"):
        for file in place.glob("machinectl*/**/*.py"):
            parts = file.relative_to(place).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


@cache
def modules() -> dict[str, ast.Module]:
    """Return the code by dotted names. To parse all takes half a second."""
    return {name: ast.parse(file.read_text()) for name, file in files().items()}


def packages() -> dict[str, list[str]]:
    """Return the modules of each package, without the packages inside."""
    names = files()
    parents = {name.rpartition(".")[0] for name in names}
    found = defaultdict(list)
    for name in names:
        if name not in parents and "." in name:
            found[name.rpartition(".")[0]].append(name)
    return found


@cache
def imported(name: str) -> set[str]:
    known = files()
    imports = (node for node in ast.walk(modules()[name]) if isinstance(node, ast.ImportFrom))
    full = {(node.module, f"{node.module}.{alias.name}") for node in imports if node.module for alias in node.names}
    return {whole if whole in known else module for module, whole in full}


def shared(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what stands for several things: each name with the places that define it."""
    places = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def is_verb(module: str) -> bool:
    return module.startswith(VERBS)


def is_error_text(node: ast.AST) -> bool:
    """Return whether an expression is an error's cause or hint, or made of it."""
    if isinstance(node, ast.Attribute):
        return node.attr in ERROR_TEXTS
    if isinstance(node, ast.Name):
        return node.id in {"cause", "hint"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return is_error_text(node.func.value)
    return isinstance(node, ast.JoinedStr) and any(
        is_error_text(part.value) for part in node.values if isinstance(part, ast.FormattedValue)
    )


def reads_error(node: ast.AST) -> bool:
    """Return whether an expression compares, searches or cuts an error's text."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(
            is_error_text(right) or (is_error_text(left) and isinstance(operator, ast.Eq | ast.NotEq))
            for left, operator, right in zip(sides, node.ops, node.comparators, strict=False)
            if isinstance(operator, ast.In | ast.NotIn | ast.Eq | ast.NotEq)
        )
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    is_read = node.func.attr in READING and is_error_text(node.func.value)
    return is_read or (node.func.attr in MATCHING and any(map(is_error_text, node.args)))


@pytest.mark.parametrize(
    "line",
    [
        "if 'no space' in error.cause: pass",
        "if f'x {exc.cause} ' != 'x': pass",
        "if 'expired' not in found.error.lower(): pass",
        "error.hint.endswith(name)",
        "cause.removeprefix('Error: ')",
        "re.search('a', exc.hint)",
    ],
)
def test_a_line_that_reads_an_error_is_found(line: str) -> None:
    assert any(map(reads_error, ast.walk(ast.parse(line))))


def test_no_code_reads_what_our_errors_say() -> None:
    """A class or a field of the error answers what code asks."""
    found = {name for name, tree in modules().items() if any(map(reads_error, ast.walk(tree)))}
    assert found == READ_ERRORS


def is_message(node: ast.AST) -> bool:
    """Return whether a call's first argument is for the user: a cause, a note, a step's title, a hint's words."""
    if not (isinstance(node, ast.Call) and node.args):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name.endswith("Error") or name in {"CheckFailed", "Declined", "Hint", "missing", "note", "step", "warn"}


def literal_text(node: ast.AST) -> str:
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def test_no_text_of_an_error_or_a_hint_holds_a_command_of_ours() -> None:
    """It stands in the command of a hint, so that nobody has to search for it."""
    command = re.compile(rf"machinectl (?:{'|'.join(sorted(ALL))})\b")
    found = [
        f"{name}:{node.lineno}: {literal_text(node.args[0])}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and is_message(node) and command.search(literal_text(node.args[0]))
    ]
    assert found == []


def test_every_path_in_contributing_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:machinectl|drivers|tests|examples|docs|\.ci)/[\w./-]+)`", text)
    assert paths
    assert [path for path in paths if not INVENTED.search(Path(path).name) and not (ROOT / path).exists()] == []


def test_every_module_can_be_imported() -> None:
    """mypy accepts a name at runtime that only a type checker imports."""
    names = [name for name in files() if not name.endswith("__main__")]
    script = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    subprocess.run([sys.executable, "-c", script, *names], check=True)


def test_a_verb_uses_no_feature_but_its_own() -> None:
    """`discover --write` uses fleet only where that is there."""
    owners = {f"machinectl.verbs.{verb}": feature.package for feature in FEATURES for verb in feature.verbs}
    packages = {feature.package for feature in FEATURES}
    used = {
        (name, package)
        for name in files()
        if name.startswith("machinectl.verbs.")
        for other in imported(name)
        if (package := other.partition(".")[2].partition(".")[0]) in packages - {owners.get(name)}
    }
    assert used == {("machinectl.verbs.discover", "fleet")}


def test_the_import_contracts_see_every_package() -> None:
    """They demand a place for each module of machinectl; a driver that they do not know would go unchecked."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    roots = {path.parent.name for place in (ROOT, ROOT / "drivers") for path in place.glob("machinectl*/__init__.py")}
    assert set(contracts["root_packages"]) == roots


def test_packages_are_small() -> None:
    too_many = {name: len(inside) for name, inside in packages().items() if len(inside) > MOST_MODULES}
    assert [name for name in too_many if not is_verb(name) and name != "machinectl"] == []
    assert too_many.get("machinectl", 0) <= MOST_AT_THE_TOP


def test_no_two_modules_or_packages_share_a_name_but_a_verbs() -> None:
    verbs = {word for name in ALL for word in name.replace("-", "_").split()}
    inside = [name for name in files() if not is_verb(name)]
    named = shared((name.rpartition(".")[2], name) for name in inside)
    assert {name: places for name, places in named.items() if name not in verbs | OF_FEATURES} == {}


def test_no_two_classes_share_a_name() -> None:
    classes = (
        (node.name, name)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    assert shared(classes) == {}


def test_functions_have_few_parameters() -> None:
    found = {
        f"{name}.{node.name}": count
        for name, tree in modules().items()
        # There, each flag is a parameter.
        if not name.startswith("machinectl.verbs") and name not in DECLARING
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (count := len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])) > MOST_PARAMETERS
    }
    assert found == {}


def test_classes_have_few_methods() -> None:
    found = {
        f"{name}.{node.name}": count
        for name, tree in modules().items()
        # A contract's tests are methods of one class, so that a driver's tests derive from one.
        if not name.startswith("machinectl.testing")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and (count := sum(isinstance(inner, ast.FunctionDef) for inner in node.body)) > MOST_METHODS
    }
    assert found == {}
