"""An empty store: every verb that needs a machine says how to create the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.cli.catalogue import ALL
from machinectl.machines.flags import MACHINE
from tests.support.in_process import machinectl
from tests.support.program import typed_at_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

# Verbs that need another word before the name, and those that need more after it.
BEFORE = {"access end": ("alice",), "access issue": ("env",), "pull": ("web:1.2",), "push": ("web:1.2",)}
NEEDED = {
    "api": ("/v1.41/info",),
    "certs import": ("certs",),
    "certs issue": ("--out", "certs"),
    "docker": ("--", "ps"),
    "compose": ("--", "ps"),
    "export": ("--output", "export.age"),
    "rename": ("other",),
    "run": ("--", "uptime"),
    "set": ("--label", "a=b"),
    "swarm join": ("other",),
}
# These print what they find, need the shell's function, or do not need a machine.
OTHERS = {"ls", "list", "use", "doctor", "inventory", "ssh-config", "plan", "apply", "context sync", "status"}
VERBS = sorted(
    verb
    for verb, declared in ALL.items()
    if verb not in OTHERS and any(MACHINE in argument.values for argument in declared.arguments)
)


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_in_an_empty_store_is_answered_with_how_to_create_it(store: Store, verb: str) -> None:
    done = machinectl(*verb.split(), *BEFORE.get(verb, ()), "web1", *NEEDED.get(verb, ()), store=store.root)
    assert done.returncode
    assert "machinectl create <USER>@<HOST> web1" in done.stderr
    assert "machinectl create tcp://<HOST>:2376 web1" in done.stderr
    assert "List the machines" not in done.stderr


def test_docker_machines_users_are_told_to_import(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    old = tmp_path / ".docker/machine/machines/orion"
    old.mkdir(parents=True)
    (old / "config.json").write_text("{}")
    done = machinectl("ssh", "web1", store=store.root)
    assert "machinectl import --from-docker-machine" in done.stderr
    assert "machinectl create <USER>@<HOST> web1" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *((words, "") for words in ("ls", "ps", "certs ls", "context ls", "images", "doctor")),
        ("swarm status", "No machine is in a swarm\n"),
    ],
)
def test_an_empty_list_says_how_to_begin_at_a_terminal(store: Store, words: str, said: str) -> None:
    done = machinectl(*words.split(), store=store.root)
    assert done.stderr == said
    text = typed_at_terminal(*words.split(), store=store.root)
    assert "There is no machine yet\n  Set up a server over SSH: machinectl create <USER>@<HOST> <NAME>" in text
