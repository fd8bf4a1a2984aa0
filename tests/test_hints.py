"""Every hint works as it stands: all commands of ours in the code's texts, collected and typed."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import typer.main

from machinectl.cli.catalogue import GROUPS, VERBS
from machinectl.cli.typer_app import build
from tests.support.pages import PAGES, REFERENCE, ROOT
from tests.support.pictures import IMAGES, text_of
from tests.support.sources import modules, texts

if TYPE_CHECKING:
    from collections.abc import Iterator


COMMAND = re.compile(r"machinectl (?!version )((?:--?[a-z]|[a-z])[^;,\n]*)")
# A command that a page shows: at a prompt, in a text, or in another command.
SHOWN = r"(?:^ *\w*[$#] +|`|\$\()(?:machinectl|docker machine) ((?:-|[a-z])(?:'[^']*'|[^`#|)$])*)"
# Where a command ends and the sentence goes on.
END = re.compile(r"\)\"?( |$)|\)?(?<=\S): |\. |\.$| \((?!with )| or | and |`|, | with ca-key")
PLACEHOLDER = re.compile(r"(?<!\{\.)\b(NAME|URL|DIR|HOST|ADDRESS|NEW|DRIVER|FILE|KEY|USER|N)\b(?!=)|…")


# There are hundreds: a pattern that finds none would pass.
FEWEST = 100


class Hint(NamedTuple):
    where: str
    text: str


def hints() -> Iterator[Hint]:
    for path in modules():
        for line, text in texts(path):
            for found in COMMAND.finditer(text):
                command = END.split(found[1])[0].strip()
                if command.split()[0] in VERBS or command.startswith("-"):
                    yield Hint(f"{path.relative_to(ROOT)}:{line}", command)


@functools.cache
def options(driver: str, *verb: str) -> dict[str, Any]:
    """The options of a verb by the ways to type them, each with whether it is followed by a value."""
    app = typer.main.get_command(build([*verb, f"--driver={driver}", "box"]))
    command: Any = app
    for word in verb:
        command = command.commands[word]
    parameters = [each for each in command.params if each.param_type_name == "option"]
    known = {name: not each.is_flag for each in parameters for name in (*each.opts, *each.secondary_opts)}
    return {**known, "-h": False, "--help": False}


def shown() -> Iterator[Hint]:
    """The commands of the docs, in their blocks and between the lines, and those in the comments of the examples."""
    # What the command reference shows is a text of the code, too.
    pages = [page for page in PAGES if page != REFERENCE]
    pictures = list(IMAGES.glob("*.svg"))
    for path in (*pages, *pictures, *(ROOT / "examples").rglob("*.sh"), *(ROOT / "examples").rglob("*.yml")):
        shown = text_of(path.read_text()) if path in pictures else path.read_text().splitlines()
        for line, text in enumerate(shown, 1):
            if path.suffix in {".sh", ".yml"} and not text.lstrip().startswith("#"):
                continue
            for found in re.finditer(SHOWN, text):
                command = found[1].split(" …")[0].strip()
                if command.split()[0] in VERBS or command.startswith("-"):
                    yield Hint(f"{path.relative_to(ROOT)}:{line}", command)


def test_the_commands_that_are_suggested_can_be_typed() -> None:
    found = set(hints())
    assert len(found) > FEWEST
    assert sorted(filter(None, map(complaint, found))) == []
    # What is to be filled in is written <…>.
    assert [hint for hint in found if PLACEHOLDER.search(re.sub(r"<[^>]*>", "", hint.text))] == []


def test_the_commands_that_the_docs_and_the_examples_show_can_be_typed() -> None:
    found = set(shown())
    assert len(found) > FEWEST
    assert sorted(filter(None, map(complaint, found))) == []


def complaint(hint: Hint) -> str:
    """Say what is wrong with a command: no such option of its verb, or a value is missing. Empty if nothing is."""
    words = shlex.split(hint.text)
    if words[0] in {"-s", "--storage-path"}:
        words = words[2:]
    if not words or words[0] == "--help":
        return ""
    verb = tuple(words[:2]) if len(words) > 1 and words[1] in GROUPS.get(words[0], {}) else (words[0],)
    named = [following for word, following in itertools.pairwise(words) if word in {"-d", "--driver"}]
    driver = named[0] if verb == ("create",) and named else "generic"
    known = options(driver if driver in {"none", "generic"} else "generic", *verb)
    known |= options("generic", "create") if verb == ("set",) else {}
    rest = iter(words[len(verb) :])
    for word in rest:
        if word == "--":
            # What follows is another program's.
            break
        if not word.startswith("-") or word == "-" or verb == ("ssh",):
            continue
        option, equals, _ = word.partition("=")
        if option not in known:
            return f"{hint.where}: {' '.join(verb)} has no option {option}"
        if known[option] and not equals and next(rest, None) is None:
            return f"{hint.where}: {option} lacks its value"
    return ""
