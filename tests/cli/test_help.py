"""Help: every verb has a whole one, in sections and as wide as the terminal; what was mistyped is found."""

from __future__ import annotations

import re

import pytest

from machinectl.cli.catalogue import GROUPS, OPTIONS, SECTIONS, VERBS, group_verbs
from tests.support.program import machinectl

ALL = [*((name,) for name in VERBS), *group_verbs()]


def helped(*words: str, columns: int = 80) -> str:
    done = machinectl(*words, "--help", environment={"COLUMNS": str(columns)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_the_help_of_all_has_every_verb_in_its_section_and_fits_the_terminal(columns: int) -> None:
    text = helped(columns=columns)
    told = text.partition("Examples:")[0]
    assert [line.rstrip(":") for line in text.splitlines() if re.match(r"\w.*:$", line)] == [
        *SECTIONS,
        "Options",
        "Examples",
    ]
    for name, verb in VERBS.items():
        assert bool(re.search(rf"^  {name}(  |$)", told, re.MULTILINE)) is bool(verb.section)
    # A name is not broken, and neither is a word or how it is all used.
    names = {told.splitlines()[0], *VERBS, *(option for option, _ in OPTIONS)}
    fits = max(columns, 40)
    assert all(len(line) <= fits or line.strip() in names or " " not in line.strip() for line in told.splitlines())


def test_certs_alone_prints_its_verbs_and_help_of_help_is_the_help_of_all() -> None:
    assert machinectl("certs", environment={"COLUMNS": "80"}).stdout == helped("certs")
    assert machinectl("help", "help", environment={"COLUMNS": "80"}).stdout == helped()


def test_the_empty_command_line_and_the_store_alone_print_the_help_of_all() -> None:
    text = helped()
    for words in ((), ("help",), ("-h",), ("-s", "nowhere"), ("-s", "nowhere", "--help"), ("-D",)):
        done = machinectl(*words, environment={"COLUMNS": "80"})
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_help_of_a_verb_says_what_it_is_for_with_examples_of_it(words: tuple[str, ...]) -> None:
    verb = (GROUPS[words[0]] if len(words) > 1 else VERBS)[words[-1]]
    text = helped(*words, columns=120)
    assert text.startswith(f"Usage: machinectl {' '.join(words)} ")
    assert verb.summary.endswith(".")
    assert verb.summary in " ".join(text.split())
    text = text.partition("\nRun machinectl ")[0]
    assert text.rstrip("\n").endswith("\nExamples:\n" + "\n".join(f"  {example}" for example in verb.examples))
    assert all(f"machinectl {words[0]}" in example for example in verb.examples)


@pytest.mark.parametrize("columns", [60, 110])
def test_the_help_of_a_verb_is_as_wide_as_the_terminal(columns: int) -> None:
    width = max(map(len, helped("create", "-d", "generic", columns=columns).partition("Examples:")[0].splitlines()))
    assert columns - 12 < width <= columns


def sections(text: str) -> list[str]:
    return [line.rstrip(":") for line in text.splitlines() if re.fullmatch(r"\w[\w ]*:", line)]


def test_a_drivers_own_options_come_first_and_the_rest_is_in_sections() -> None:
    shown = sections(helped("create", "-d", "generic"))
    assert shown == ["Options of driver generic", "Options", "Certificates", "Engine", "SSH", "Examples"]
    assert sections(helped("provision")) == ["Options", "Examples"]


def test_what_does_not_matter_to_a_host_that_is_never_set_up_is_taken_and_not_shown() -> None:
    text = helped("create", "-d", "none")
    assert sections(text) == ["Options of driver none", "Options", "Certificates", "Examples"]
    assert not re.search(r"--(engine-opt|sudo-password-file|force|open-firewall|no-provision)\b", text)
    refused = machinectl("create", "-d", "none", "--url", "x://", "--force", "--engine-opt", "debug", "box")
    assert "No such option" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("ls", "--quite"), "Did you mean --quiet? See: machinectl ls --help"),
        (("create", "-d", "generic", "--generic-ip-adress", "x", "box"), "Did you mean --generic-ip-address? See: "),
        (("create", "-d", "none", "--ur", "x", "box"), "machinectl create -d none --help"),
        (("rm", "--porge", "box"), "Did you mean --purge?"),
        (("ls", "--zzz"), "\n  machinectl ls --help"),
        (("env", "--shell"), "\n  machinectl env --help"),
        (("ls", "--storage-path", "x"), "It goes before the verb: machinectl --storage-path ls"),
        (("run", "--", "uptime"), "or take --all, or those that -l role=web selects"),
        (("crate",), "Did you mean: machinectl create"),
        (("certs", "lst"), "Did you mean: machinectl certs ls"),
        (("frobnicate", "box"), "\n  See those there are: machinectl --help"),
        (("create", "-d", "genric", "box"), "machinectl create -d generic"),
        (("create", "-d", "generic", "--ip-address", "x", "box"), "Did you mean --generic-ip-address? See: "),
        (("set", "--generic-ssh-port", "22", "ghost"), 'Docker machine "ghost" does not exist\n'),
        (("set", "ghost", "--generic-ssh-port", "22"), 'Docker machine "ghost" does not exist\n'),
        (("run", "box", "uname", "-sm"), "needs a command after two dashes\n  machinectl run <NAME> -- uptime"),
        (("run", "-a", "--group", "-t", "9", "df"), "\n  machinectl run --all --group --timeout=9 -- df"),
        (("docker", "--all", "ps"), "needs a command after two dashes\n  machinectl docker --all -- ps"),
        (("set", "--generic-ssh-port", "22"), "\n  machinectl set --help <NAME>"),
    ],
)
def test_what_was_mistyped_is_told_with_what_was_meant_and_nothing_else(words: tuple[str, ...], hint: str) -> None:
    done = machinectl(*words)
    assert done.returncode in {1, 2}
    assert hint in done.stderr
    assert len(done.stderr.splitlines()) <= 3
