"""Hold the rooms of the house to their budgets (room_sizes.toml): `make check-sizes`.

A room may have a tenth more lines than its budget. One that has still more may not grow by more than a hundredth;
neither may the imports between rooms grow. `python -m tools.room_sizes --hold` notes what has shrunk.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
LIMITS = Path(__file__).with_suffix(".toml")
OWN_MODULES = "machinectl (modules of its own)"
SLACK, GROWTH = 1.1, 1.01
# Not counted as tokens.
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


def texts(*places: str) -> Iterator[Path]:
    """Yield the text files that git knows or would add, relative to the root."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z", "--", *places]
    names = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")
    for path in map(Path, filter(None, names)):
        if (ROOT / path).is_file() and b"\0" not in (ROOT / path).read_bytes():
            yield path


def room_of(path: Path) -> str:
    first, *rest = path.parts
    if first != "machinectl":
        return first
    return f"machinectl/{rest[0]}" if len(rest) > 1 else OWN_MODULES


def measure() -> tuple[Counter[str], float]:
    """Return the lines of each room, and the tokens on a line of Python."""
    lines: Counter[str] = Counter()
    python = tokens = 0
    for path in texts("machinectl", "drivers", "tools", "tests"):
        count = len((ROOT / path).read_bytes().splitlines())
        lines[room_of(path)] += count
        if path.suffix == ".py" and path.parts[0] != "tests":
            python += count
            with (ROOT / path).open("rb") as file:
                tokens += sum(token.type not in LAYOUT for token in tokenize.tokenize(file.readline))
    return lines, tokens / python


def arrows() -> set[tuple[str, str]]:
    """Return which room of machinectl imports from which, for types, too."""
    package = ROOT / "machinectl"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    pairs = set()
    for path in package.glob("*/**/*.py"):
        here = path.relative_to(package).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("machinectl"):
                parts = (node.module or "").split(".")[1:2]
                names = parts or [alias.name for alias in node.names]
                pairs |= {(here, name) for name in names if name in rooms - {here}}
    return pairs


def complaints(limits: Mapping[str, Any], lines: Mapping[str, int], tokens: float, imports: int) -> Iterator[str]:
    for room, count in lines.items():
        known = limits["rooms"].get(room)
        if known is None:
            yield f"{room} is no room of tools/room_sizes.toml"
        elif count > (most := max(int(known["budget"] * SLACK), int(known.get("held", 0) * GROWTH))):
            yield f"{room} has {count} lines, and may have {most}: its budget is {known['budget']}"
    if tokens > limits["tokens"]:
        yield f"a line of Python has {tokens:.2f} tokens, and may have {limits['tokens']}"
    if imports > limits["arrows"]:
        yield f"rooms import from each other in {imports} pairs, and may in {limits['arrows']}"


def held(limits: Mapping[str, Any], lines: Mapping[str, int], imports: int) -> str:
    """Return room_sizes.toml with what rooms have now, where that is less."""
    text = [f"tokens = {limits['tokens']}", f"arrows = {min(limits['arrows'], imports)}", "", "[rooms]"]
    for room, known in limits["rooms"].items():
        now = min(lines.get(room, 0), known.get("held", sys.maxsize))
        more = f", held = {now}" if now > known["budget"] * SLACK else ""
        text.append(f'"{room}" = {{ budget = {known["budget"]}{more} }}')
    return "".join(f"{line}\n" for line in text)


def main() -> None:
    limits = tomllib.loads(LIMITS.read_text())
    lines, tokens = measure()
    imports = len(arrows())
    if wrong := [*complaints(limits, lines, tokens, imports)]:
        sys.exit("\n".join(wrong))
    if "--hold" in sys.argv:
        LIMITS.write_text(held(limits, lines, imports))


if __name__ == "__main__":
    main()
