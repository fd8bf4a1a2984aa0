"""Files with variables: whoever reads one gets each value as it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.files.env_file import format_variables
from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

# What means something to one reader or another, among anything else that a variable can hold.
VALUES = st.text(
    st.sampled_from("\\'\"$`#!:= \t\n\r\f{}nrtu0a") | st.characters(exclude_characters="\0", codec="utf-8")
)
# Of a backslash and what follows, in double quotes.
ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0\d{0,3})')


def read_dotenv(text: str, *, older: bool) -> dict[str, str]:
    """What compose reads by its own rules (compose-go/dotenv/parser.go), those of 2.1 (`older`), or those of 2.13."""
    found = {}
    while text:
        name, _, rest = text.partition("=")
        rest = rest.lstrip("\t\v\f\r \x85\xa0")
        if rest[:1] not in {"'", '"'}:
            value, _, text = rest.partition("\n")
            found[name] = expanded(value.partition(" #")[0].rstrip())
            continue
        value, text = quoted(rest, older=older)
        found[name] = expanded(unescaped(value)) if rest[0] == '"' else value
        text = text.lstrip()
    return found


def quoted(text: str, *, older: bool) -> tuple[str, str]:
    """What is between quotes, and what follows them."""
    if older:
        end = next(at for at in range(1, len(text)) if text[at] == text[0] and text[at - 1] != "\\")
        return text[1:end], text[end + 1 :]
    value, at = "", 1
    while text[at] != text[0]:
        if text[at] == "\\":
            at += 1
            value += "" if text[at] == text[0] else "\\"
        value += text[at]
        at += 1
    return value, text[at + 1 :]


def unescaped(value: str) -> str:
    def one(match: re.Match[str]) -> str:
        escape = match[0]
        if escape == r"\$":
            return "$$"
        if escape.startswith(r"\0"):
            return bytes([int(escape[1:], 8)]).decode() if len(escape) == 5 else escape
        return {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}[escape[1]]

    return ESCAPE.sub(one, value)


def expanded(value: str) -> str:
    """Nothing may be left that names a variable."""
    assert "$" not in value.replace("$$", ""), value
    return value.replace("$$", "$")


@pytest.mark.parametrize("older", [False, True])
@given(values=st.lists(VALUES, min_size=1))
def test_compose_reads_a_dotenv_file_as_it_was_meant(older: bool, values: list[str]) -> None:
    variables: dict[str, str | None] = {f"V{number}": value for number, value in enumerate(values)}
    assert read_dotenv(format_variables("dotenv", variables), older=older) == variables


# A backslash and what follows it (java.util.Properties.load).
IN_PROPERTIES = re.compile(r"\\(?:u([0-9a-f]{4})|(.))")


def read_properties(text: str) -> dict[str, str]:
    """What Java reads of lines that are none of its comments or continuations."""
    found = {}
    for line in text.removesuffix("\n").split("\n"):
        name, _, value = line.partition("=")
        plain = IN_PROPERTIES.sub(meant, value.lstrip(" \t\f"))
        found[name] = plain.encode("utf-16", "surrogatepass").decode("utf-16")
    return found


def meant(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(match[2], match[2])


@given(values=st.lists(VALUES, min_size=1))
def test_properties_are_read_as_they_were_meant(values: list[str]) -> None:
    variables: dict[str, str | None] = {f"V{number}": value for number, value in enumerate(values)}
    text = format_variables("properties", variables)
    assert text.isascii()
    assert read_properties(text) == variables


@given(values=st.lists(VALUES | st.none()))
def test_json_has_each_value_and_null_for_what_is_unset(values: list[str | None]) -> None:
    variables = {f"V{number}": value for number, value in enumerate(values)}
    assert json.loads(format_variables("json", variables)) == variables


def test_env_prints_a_file_for_tools(store: Store, tmp_path: Path) -> None:
    added(store, Machine("orion", "none", url="tcp://[fd00::29]:2376", tls=True))
    path = store.directory("orion")
    for form, lines in {
        "dotenv": ["DOCKER_TLS_VERIFY=1", "DOCKER_HOST='tcp://[fd00::29]:2376'", f"DOCKER_CERT_PATH={path}"],
        "properties": ["DOCKER_TLS_VERIFY=1", "DOCKER_HOST=tcp://[fd00::29]:2376", f"DOCKER_CERT_PATH={path}"],
    }.items():
        done = machinectl("env", "--format", form, "orion", store=tmp_path / "store")
        assert done.stdout.splitlines() == [*lines, "DOCKER_MACHINE_NAME=orion"]
    for flags in (["--format", "json"], ["--json"]):
        found = json.loads(machinectl("env", *flags, "orion", store=tmp_path / "store").stdout)
        assert found["DOCKER_HOST"] == "tcp://[fd00::29]:2376"
    unset = json.loads(machinectl("env", "-u", "--json", store=tmp_path / "store").stdout)
    assert set(unset.values()) == {None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "yaml"], "--format takes json, dotenv or properties, not 'yaml'"),
        (["--format", "dotenv", "-u"], "unsets nothing"),
        (["--format", "json", "--shell", "fish"], "exclude each other"),
    ],
)
def test_what_no_file_can_say_is_refused(store: Store, words: list[str], said: str) -> None:
    added(store, Machine("orion", "none", url="unix:///x", tls=False))
    done = machinectl("env", *words, *([] if "-u" in words else ["orion"]), store=store.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
