"""Help: every verb has a whole one, in sections and as wide as the terminal; what was mistyped is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.catalogue import ALL as ALL_VERBS
from machinectl.cli.catalogue import COMMON, GROUPS, LOGIN, OPTIONS, SECTIONS, VERBS, section_verbs
from machinectl.cli.help_pages import verb_page
from machinectl.cli.main import help_work
from machinectl.cli.parsing.go_flags import canonical
from machinectl.machines.flags import Flag
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.pictures import IMAGES, steady, text_of
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

ALL = [tuple(name.split()) for name, verb in ALL_VERBS.items() if verb.section or " " not in name]


def helped(*words: str, columns: int = 80) -> str:
    done = machinectl(*words, "--help", environment={"COLUMNS": str(columns)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_first_page_fits_a_terminal_and_names_the_page_of_all() -> None:
    text = helped()
    assert len(text.splitlines()) < 24
    assert max(map(len, text.splitlines())) <= 80
    assert re.findall(r"^  (\w+)  ", text, re.MULTILINE) == [name for name, _ in section_verbs(COMMON)]
    assert "All commands: machinectl help all." in text
    shown = text_of((IMAGES / "help.svg").read_text())
    assert steady(shown) == steady(["$ machinectl", *text.splitlines()]), "make pictures"


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_the_page_of_all_has_every_verb_in_its_section_and_fits_the_terminal(columns: int) -> None:
    text = machinectl("help", "all", environment={"COLUMNS": str(columns)}).stdout
    told = text.partition("Examples:")[0]
    assert sections(text) == [*SECTIONS, "Options", "Examples", "More help"]
    for name, verb in VERBS.items():
        assert bool(re.search(rf"^  {name}(  |$)", told, re.MULTILINE)) is bool(verb.section)
    # A name is not broken, and neither is a word or how it is all used.
    names = {told.splitlines()[0], *VERBS, *(option for option, _ in OPTIONS)}
    fits = max(columns, 40)
    assert all(len(line) <= fits or line.strip() in names or " " not in line.strip() for line in told.splitlines())


def test_the_empty_command_line_and_the_store_alone_print_the_first_page() -> None:
    text = helped()
    for words in ((), ("help",), ("-h",), ("-s", "nowhere"), ("-s", "nowhere", "--help"), ("-D",)):
        done = machinectl(*words, environment={"COLUMNS": "80"})
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_help_of_a_verb_says_what_it_is_for_with_examples_of_it(words: tuple[str, ...]) -> None:
    verb = (GROUPS[words[0]] if len(words) > 1 else VERBS)[words[-1]]
    text = helped(*words, columns=120)
    assert re.match(rf"Usage: machinectl {' '.join(words)}[ \n]", text)
    assert verb.summary.endswith(".")
    assert verb.summary in " ".join(text.split())
    assert text.rstrip("\n").endswith("\nExamples:\n" + "\n".join(f"  {example}" for example in verb.examples))
    assert all(f"machinectl {words[0]}" in example for example in verb.examples)


def sections(text: str) -> list[str]:
    return [line.rstrip(":") for line in text.splitlines() if re.fullmatch(r"\w[\w, ]*:", line)]


def test_a_drivers_own_options_come_first_and_the_rest_is_in_sections() -> None:
    shown = sections(helped("create", "-d", "generic"))
    assert shown == ["Options of driver generic", "Options", "Certificates", "Engine", "SSH", "Examples"]
    assert sections(helped("provision")) == ["Options", "Examples"]


def test_what_does_not_matter_to_a_host_that_is_never_set_up_is_taken_and_not_shown() -> None:
    text = helped("create", "-d", "none")
    assert sections(text) == ["Options of driver none", "Options", "Certificates", "Examples"]
    assert not re.search(r"--(engine-opt|sudo-password-file|force|open-firewall)\b", text)
    refused = machinectl("create", "-d", "none", "--url", "x://", "--force", "--engine-opt", "debug", "box")
    assert "No such option" not in refused.stderr


def test_options_to_log_in_are_on_a_page_of_their_own() -> None:
    logging_in = {name for name, verb in ALL_VERBS.items() if LOGIN[0] in verb.flags}
    for name in logging_in:
        text = helped(*name.split())
        assert "\nSSH options: machinectl help ssh-options\n" in text
        assert LOGIN[0].flag not in text
    page = machinectl("help", "ssh-options").stdout
    listed = " ".join(page.split()).partition("take these options: ")[2].partition(".")[0]
    assert set(listed.split(", ")) == logging_in
    assert all(flag.flag in page for flag in LOGIN)
    assert machinectl("-s", "x", "help", "ssh-options").stdout == page


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_of_any_help_is_wider_than_the_terminal_but_a_command_to_copy(columns: int) -> None:
    for name in ["", *ALL_VERBS]:
        text, _, commands = helped(*name.split(), columns=columns).partition("\nExamples:\n")
        after = commands.partition("\n\n")[2]
        assert [line for line in (text + after).splitlines() if len(line) > columns] == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ls --help", "ls"),
        ("ls -h", "ls"),
        ("ls --zzz web1 --help", "ls"),
        ("--help ls", "ls"),
        ("help ls", "ls"),
        ("-s x certs", "certs"),
        ("certs -h", "certs"),
        ("certs ls -h", "certs ls"),
        ("h help certs ls", "certs ls"),
        ("certs help", "certs"),
        ("certs help ls", "certs ls"),
        ("socket help", None),
        ("ssh --help", "ssh"),
        ("ssh web1 ls --help", None),
        ("run web1 -- ls --help", None),
        ("run web1 --help", "run"),
        ("ls --format --help", None),
        ("certs lst --help", None),
        ("frobnicate --help", None),
        ("help frobnicate", None),
        ("ssh-options", "ssh-options"),
        ("ls", None),
    ],
)
def test_help_is_for_the_verb_that_is_typed_and_not_for_another_program(line: str, name: str | None) -> None:
    work = help_work(canonical(line.split()))
    assert (work is None) is (name is None)
    if name:
        assert machinectl(*line.split()).stdout == machinectl("help", *name.split()).stdout


def test_what_a_driver_says_of_its_options_does_nothing_to_the_terminal() -> None:
    text = verb_page(
        "create", [Flag("--x", metavar="A\x1b[2J", help="Clear \x1b[2J it.", section="Options of driver x")], "x"
    )
    assert "\x1b" not in text
    assert "--x A\\x1b[2J  Clear \\x1b[2J it.\n" in text


def test_the_help_of_set_and_create_lists_the_options_of_the_driver(store: Store) -> None:
    added(store, Machine("web1", "generic", url="tcp://192.0.2.1:2376"))
    for words in (("set", "web1", "--help"), ("help", "set", "web1"), ("create", "-h", "-d=generic")):
        text = machinectl(*words, store=store.root).stdout
        assert sections(text)[0] == "Options of driver generic"
        assert "--ssh-user USER" in text
    assert machinectl("help", "create", "-d", "generic").stdout == helped("create", "-d", "generic")
    assert helped("create", "--no-such-option") == helped("create")
