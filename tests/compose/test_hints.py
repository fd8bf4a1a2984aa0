"""Where people look, they are told that docker compose finds their files here, and not on the host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from machinectl.check import OK, UNKNOWN, Seat
from machinectl.compose.copies import ask_if_large, list_directory
from machinectl.compose.hints import checks
from machinectl.compose.local_files import FileHere
from machinectl.compose.sent_files import Changes, SentFiles
from machinectl.console import SilentConsole
from machinectl.errors import Declined
from machinectl.machines.record import Machine
from tests.support.example import need_compose
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


class Asking(SilentConsole):
    """A person at a terminal who gives one answer."""

    interactive = True

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        assert prompt == "Send 600MB of files? [y/N] "
        assert not secret
        return self.answer


COMPOSE = "services: {web: {image: busybox, volumes: ['./html:/www', '/var/run/docker.sock:/s']}}"


@pytest.fixture
def project(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    need_compose()
    directory = tmp_path / "shop"
    (directory / "html").mkdir(parents=True)
    (directory / "compose.yaml").write_text(COMPOSE)
    monkeypatch.chdir(directory)
    added(store, Machine("orion", "none", url="unix:///nonexistent/docker.sock", tls=False))
    return directory


def sent_from(store: Store, directory: Path) -> None:
    lists = list_directory(store, "orion")
    os.makedirs(lists, exist_ok=True)
    SentFiles("shop", str(directory)).write(os.path.join(lists, "key.json"))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("words", [["docker", "orion", "compose"], ["socket", "orion", "--", "docker", "compose"]])
def test_docker_compose_up_is_answered_with_the_line_that_brings_the_files(store: Store, words: list[str]) -> None:
    done = machinectl(*words, "up", "-d", store=store.root)
    assert 'html is here, not on "orion"' in done.stderr
    assert "machinectl compose orion up -d" in done.stderr
    assert "html" not in machinectl(*words, "ps", store=store.root).stderr


def test_doctor_says_which_files_are_not_there_and_which_projects_are_gone(store: Store, project: Path) -> None:
    machines = [store.read("orion")]
    seat = Seat("machinectl", {"DOCKER_MACHINE_NAME": "orion"})
    [absent] = checks(store, machines, seat)
    assert (absent.verdict, absent.hint) == (UNKNOWN, "To copy them there: machinectl compose orion up -d")
    sent_from(store, project)
    assert [check.verdict for check in checks(store, machines, seat)] == [OK]
    assert not list(checks(store, machines, Seat("machinectl", {})))
    sent_from(store, project / "gone")
    [gone] = checks(store, machines, Seat("machinectl", {}))
    assert gone.hint == "Remove them: machinectl compose orion -- -p shop down --files"


@pytest.mark.usefixtures("project")
def test_a_look_at_an_engine_that_does_not_answer_is_one_error(store: Store) -> None:
    done = machinectl("compose", "orion", "up", "-d", store=store.root)
    assert done.returncode == 1
    assert done.stderr.startswith('Error: The engine of "orion" does not answer: ')


def test_a_flag_of_ours_after_the_command_is_answered_with_its_place(store: Store) -> None:
    added(store, Machine("orion", "none", url="unix:///nonexistent/docker.sock", tls=False))
    done = machinectl("compose", "orion", "up", "--allow", "../x", store=store.root)
    assert (done.returncode, "machinectl compose --allow <DIR> <NAME> up" in done.stderr) == (2, True)
    many = machinectl("compose", "--watch", "orion", "orion", "--", "up", store=store.root)
    assert many.returncode


def test_a_person_is_asked_before_much_is_sent() -> None:
    changes = Changes(new={"/p/a": FileHere(0o100644, 0, 0, 600 * 10**6)})
    ask_if_large(changes, Asking("y"))
    with pytest.raises(Declined):
        ask_if_large(changes, Asking("n"))
    ask_if_large(Changes(), Asking("n"))
