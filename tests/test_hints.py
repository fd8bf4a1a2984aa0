"""Every hint works as it stands: all commands of ours in the code's texts, collected and typed."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer.main

from machinectl.cli.catalogue import GROUPS, VERBS
from machinectl.cli.typer_app import build
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.pages import PAGES, REFERENCE, ROOT
from tests.support.pictures import IMAGES, text_of
from tests.support.registered import added
from tests.support.sources import modules, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store

# The program, where the package's modules are not meant.
PROGRAM = re.compile(r"machinectl(?![\w.])")
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


@functools.cache
def hints() -> frozenset[Hint]:
    # To parse the others takes as long again.
    naming = [path for path in modules() if PROGRAM.search(path.read_text())]
    # Examples of the help have tests of their own.
    said = ((path, line, text) for path in naming for line, text in texts(path, declared=False))
    found = ((path, line, match[1]) for path, line, text in said for match in COMMAND.finditer(text))
    commands = ((path, line, END.split(words)[0].strip()) for path, line, words in found)
    return frozenset(
        Hint(f"{path.relative_to(ROOT)}:{line}", command)
        for path, line, command in commands
        if command.split()[0] in VERBS or command.startswith("-")
    )


@functools.cache
def options(driver: str, *verb: str) -> dict[str, Any]:
    """The options of a verb by the ways to type them, each with whether it is followed by a value."""
    words = [*verb, f"--driver={driver}", "box"]
    command = typer.main.get_command(build(" ".join(verb), words, lambda _: None))
    parameters = [each for each in command.params if each.param_type_name == "option"]
    known = {
        name: not getattr(each, "is_flag", True) for each in parameters for name in (*each.opts, *each.secondary_opts)
    }
    return {**known, "-h": False, "--help": False}


# What a placeholder of a hint stands for here; nothing listens at this address.
FILLED = {
    "<ADDRESS>": "127.0.0.1",
    "<DIR>": "certs",
    "<DRIVER>": "generic",
    "<FILE>": "key",
    "<HOST>": "127.0.0.1",
    "<IMAGE>": "web:1.2",
    "<MAC>": "02:00:00:00:00:01",
    "<MANAGER>": "rigel",
    "<NEW>": "other",
    "<NEW-NAME>": "other",
    "<PATH>": "key",
    "<PORT>": "22",
    "<URL>": "tcp://127.0.0.1:1",
    "<USER>": "ops",
}
# Values of the code that are no machine's name, in the hints that they are in.
VALUES = [
    (r"^set (?:value|--ssh-key) <(MAC|PATH|PORT|USER|FILE)> value", r"set --generic-\1 <\1> host"),
    (r"^create value@<ADDRESS>", "create ops@<ADDRESS>"),
    (r"-(MAC) ", "-mac "),
    (r"-(PATH|FILE) ", "-ssh-key "),
    (r"-(PORT) ", "-ssh-port "),
    (r"-(USER) ", "-ssh-user "),
    (r"^set value value( value)?$", "set --generic-ssh-port 22 host"),
    (r"^(rm --purge|rm -y|swarm join value)$", r"\1 rigel"),
    (r"^set --engine-opt value=value:9323", "set --engine-opt metrics-addr=127.0.0.1:9323"),
    (r"^set --url value", "set --url tcp://127.0.0.1:1"),
    (r"^set --url tcp://<(ADDRESS|HOST)>:\w+", "set --url tcp://127.0.0.1:2376"),
    (r"^set --unlabel value", "set --unlabel role"),
    (r"^set --ssh-jump <HOST>", "set --ssh-jump rigel"),
    (r"--url value", "--url tcp://127.0.0.1:1"),
    (r"-d value", "-d generic"),
    (r"-l value|--selector value", "-l role=web"),
    (r"(ssh-user value|value@)", "ssh-user ops"),
    (r"--tls-dir value", "--tls-dir certs"),
    (r"^certs create --force value", "certs create --force --out certs --san 127.0.0.1"),
    (r"^certs import --force value value", "certs import --force value certs"),
    (r"^(discover|fleet import --from ansible|plan -f|ls --filter name=) ?value", r"\1 inventory.ini"),
    (r"^mount -u value", "mount -u certs"),
    (r"^(mount <NAME>:|mount |scp )value", r"\1value:key"),
    (r"^rename value value", "rename value other"),
    (r"^(rm --forget|provision|swarm status) valuevalue", r"\1 value"),
    (r"^create value value", "create 127.0.0.1 value"),
    (r"^compose value value", "compose value ps"),
    (r"^access value( value)?$", r"access renew\1"),
]
# These wait for a terminal, search a network, or are a verb in a sentence.
NOT_TYPED = ("discover", "ls --watch", "use -", "fleet schema prints", "apply changes it", "ls lists", "plan shows")
# What a command line that is no command line is told.
REFUSED = re.compile(
    r"No such (option|command)|requires an argument|takes no value|is missing|extra arguments|Too many|needs --|"
    r"is missing|not '|Nothing to set|no machine name|Expected (to get )?one"
)


def filled(text: str) -> str:
    for pattern, value in VALUES:
        text = re.sub(pattern, value, text)
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    name = "new" if text.startswith(("create", "context import")) else "rigel"
    return text.replace("<NAME>", name)


def typed(text: str, store: Store) -> str:
    """Type a hint where there are the machines that it names; return what is wrong with the command line, or ""."""
    words = shlex.split(filled(text.partition(" | ")[0].partition(" > ")[0]))
    done = machinectl(*words, store=store.root, cwd=Path(store.root).parent)
    is_wrong = done.returncode and REFUSED.search(done.stderr)
    return f"{text}: {shlex.join(words)}: {done.stderr}" if is_wrong else ""


def is_typed(hint: Hint) -> bool:
    # Commands in sentences end in words.
    return not hint.text.startswith(NOT_TYPED)


def test_each_hint_is_a_command_line_where_it_is_typed(store: Store, tmp_path: Path) -> None:
    names = ("value", "orionbox", "rigel", "orion")
    machines = [Machine(name, "none", url="tcp://127.0.0.1:1", tls=False) for name in names]
    host = Machine("host", "generic", url="tcp://127.0.0.1:1", tls=True)
    host.driver_state = json.dumps({"IPAddress": "127.0.0.1", "SSHUser": "ops", "SSHPort": 1, "EnginePort": 1})
    (tmp_path / "certs").mkdir()
    (tmp_path / "key").write_text("no key")
    (tmp_path / "inventory.ini").write_text("[web]\nweb1\n")
    found = []
    for text in sorted({hint.text for hint in hints() if is_typed(hint)}):
        for machine in (*machines, host):
            if not store.exists(machine.name):
                added(store, machine)
        found.append(typed(text, store))
    assert "\n".join(filter(None, found)) == ""


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
    found = hints()
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
        if word == "--" or (verb in {("run",), ("docker",), ("compose",)} and not word.startswith("-")):
            # What follows is, or may be, another program's.
            break
        if not word.startswith("-") or word == "-" or verb == ("ssh",):
            continue
        option, equals, _ = word.partition("=")
        if option not in known:
            return f"{hint.where}: {' '.join(verb)} has no option {option}"
        if known[option] and not equals and next(rest, None) is None:
            return f"{hint.where}: {option} lacks its value"
    return ""
