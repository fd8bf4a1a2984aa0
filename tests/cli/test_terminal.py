"""What is different on a terminal: colours, rows that fill in, questions. A real pseudo-terminal stands in for one."""

from __future__ import annotations

import errno
import io
import itertools
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from machinectl.cli.output.terminal import Terminal
from machinectl.console import Unanswered
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.hosts.creation import Creation
from machinectl.hosts.creation import create_machine as create
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine
from machinectl.machines.spec import MachineSpec
from machinectl.verbs.access_texts import read_pasted
from tests.support import puppets, servers
from tests.support.program import at_terminal, everything
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from _typeshed import WriteableBuffer

    from machinectl.cli.verb_session import Session
    from machinectl.machines.store import Store


@pytest.fixture
def machines(store: Store) -> Iterator[Store]:
    """An engine that answers, and one that never does."""
    with servers.serving(servers.engine) as answering, servers.serving(servers.silent) as silent:
        for name, port in (("awake", answering), ("asleep", silent)):
            spec = MachineSpec("none", {"url": f"tcp://127.0.0.1:{port}"}, tls=False)
            create(store, Quiet(), Creation(name, spec, load("none"), Login()))
        yield store


def test_rows_fill_in_as_hosts_answer_and_the_state_is_coloured(machines: Store) -> None:
    with at_terminal("ls", "-t", "1", store=machines.root) as (_, terminal):
        text = everything(terminal)
    drafts = text.split("\x1b[J")
    assert len(drafts) > 2
    first, last = drafts[0], drafts[-1]
    assert "awake" in first
    assert "v99.1.2" not in first
    assert "…" in first
    assert "\x1b[32mRunning\x1b[0m" in last
    assert "\x1b[33mTimeout\x1b[0m" in last
    assert "v99.1.2" in last
    assert "…" not in last


@pytest.mark.parametrize("columns", [40, 80])
def test_ls_fits_the_terminal_and_an_error_stands_below_its_row(store: Store, columns: int) -> None:
    added(store, Machine("orion", "none", url="tcp://127.0.0.1:1"))
    with at_terminal("ls", store=store.root, columns=columns, environment={"TERM": "dumb"}) as (_, terminal):
        headings, orion, *errors = everything(terminal).splitlines()
    assert headings.split() == (
        ["NAME", "STATE", "URL"] if columns == 40 else ["NAME", "DRIVER", "STATE", "URL", "DOCKER"]
    )
    assert "Stopped" in orion
    assert " ".join(line.strip() for line in errors) == "127.0.0.1:1 refuses the connection: nothing listens there"
    assert all(line.startswith("  ") and len(line) <= columns for line in errors)


def test_a_table_higher_than_the_screen_is_drawn_once(machines: Store) -> None:
    with at_terminal("ls", "-t", "1", store=machines.root, lines=3) as (_, terminal):
        text = everything(terminal)
    assert "\x1b[J" not in text
    assert text.count("awake") == 1


def test_ls_of_no_machines_says_how_to_make_one(store: Store) -> None:
    with at_terminal("-s", store.root, "ls", store=store.root) as (_, terminal):
        headings, *told = everything(terminal).splitlines()
    assert headings.split()[:2] == ["NAME", "ACTIVE"]
    assert told[-5:] == [
        "There is no machine yet",
        "  Set up a server over SSH:",
        f"  \x1b[1mmachinectl -s {store.root} create <USER>@<HOST> <NAME>\x1b[0m",
        "  Register an engine that runs:",
        f"  \x1b[1mmachinectl -s {store.root} create tcp://<HOST>:2376 <NAME>\x1b[0m",
    ]


def test_rm_asks_on_the_terminal(machines: Store) -> None:
    with at_terminal("rm", "awake", store=machines.root) as (_, terminal):
        asked = b""
        while b"Are you sure? [y/N] " not in asked:
            asked += os.read(terminal, 4096)
        os.write(terminal, b"y\n")
        assert "Successfully removed awake" in everything(terminal)
    assert machines.names() == ["asleep"]


@pytest.mark.parametrize("typed", [b"n\n", b"\n", b"\x04"], ids=str)
def test_a_no_on_the_terminal_says_that_nothing_was_done_and_fails(machines: Store, typed: bytes) -> None:
    with at_terminal("rm", "awake", "asleep", store=machines.root) as (process, terminal):
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(terminal, 4096)
        os.write(terminal, typed)
        assert everything(terminal).splitlines()[-1] == "Nothing was removed"
        assert process.wait() == 1
    assert machines.names() == ["asleep", "awake"]


def test_anything_else_than_yes_or_no_is_asked_again_on_the_terminal() -> None:
    with puppets.on_terminal("web1") as terminal:
        terminal.until_obeyed("web1", "begin alone")
        terminal.tell("web1", "confirm", "Sure?")
        terminal.until_text("Sure? [y/N]")
        terminal.type("sure\n")
        terminal.until_text("Type y or n. Sure? [y/N]")
        terminal.type("yikes\n")
        terminal.until(lambda: sum(line.startswith("Type y or n.") for line in terminal.lines) == 2)
        terminal.type("YES\n")
        terminal.until_text("the answer is True")
        terminal.tell("web1", "end")
        assert terminal.end() == 0


def test_one_machine_has_a_spinner_and_a_line_a_step_and_no_board() -> None:
    with puppets.on_terminal("web1") as terminal:
        terminal.until_obeyed("web1", "begin alone")
        terminal.did("web1", "step", "Installing")
        terminal.until(lambda: bool(re.search(r"[-|/\\] 0 s  Installing", "".join(terminal.lines))))
        terminal.did("web1", "end")
        terminal.did("web1", "note", "hello")
        terminal.tell("web1", "fail", "it broke")
        assert terminal.end() == 0
        [step, *rest] = terminal.lines
    assert re.fullmatch(r"✓ Installing \(\d+\.\d s\)", step)
    assert rest == ["hello", "Error: it broke", "  machinectl status web1", "exit code 0, without rich"]
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", terminal.raw.decode())) == {
        "\x1b[J",
        "\x1b[0m",
        "\x1b[1m",
        "\x1b[2m",
        "\x1b[31m",
        "\x1b[32m",
    }


@pytest.mark.parametrize("columns", [40, 80])
def test_a_long_step_shows_the_last_line_of_what_it_runs_below_its_title(columns: int) -> None:
    said = "Get:1 http://archive.example/debian \x1b[2J trixie/main amd64 docker.io amd64 26.1.5+dfsg1-9 [25.2 MB]"
    with puppets.on_terminal("web1", columns=columns) as terminal:
        terminal.did("web1", "step", "Installing")
        terminal.did("web1", "progress", said)
        terminal.until(lambda: any(line.startswith("  Get:1 ") for line in terminal.lines))
        title, detail = terminal.lines
        assert title.endswith(" s  Installing")
        assert detail.endswith("…")
        assert len(detail) <= columns - len("^C")
        assert f"  {said}".replace("\x1b", "\\x1b").startswith(detail[:-1])
        terminal.did("web1", "note", "hello")
        terminal.did("web1", "end")
        terminal.tell("web1", "end")
        assert terminal.end() == 0
        hello, step, *rest = terminal.lines
    assert hello == "hello"
    assert step.startswith("✓ Installing (")
    assert rest == ["web1 it is", "exit code 0, without rich"]


TITLE = "Installing the engine from the packages of the distribution, which takes its time"


@pytest.mark.parametrize("title", [TITLE, "引擎安装" * 20, "x"], ids=["long", "wide", "short"])
@pytest.mark.parametrize("columns", [20, 80])
def test_a_step_is_one_line_however_narrow_the_terminal_with_the_time_that_it_has_taken(
    columns: int, title: str
) -> None:
    with puppets.on_terminal("web1", columns=columns) as terminal:
        terminal.did("web1", "step", title)
        # Each look is at all that was drawn until then: a line that is too long would have left some behind.
        for second in range(2):
            terminal.until(lambda second=second: bool(re.search(rf". {second} s  {title[0]}", "".join(terminal.lines))))  # type: ignore[misc]
            assert len(terminal.lines) == 1
        assert terminal.screen.cursor.x <= columns - len("^C")
        terminal.did("web1", "end")
        terminal.tell("web1", "end")
        assert terminal.end() == 0
        step = terminal.lines[: terminal.lines.index("web1 it is")]
        if title == TITLE:
            # At its end it is broken at words, below its beginning.
            assert re.fullmatch(rf"✓ {TITLE} \(\d\.\d s\)", " ".join(line.strip() for line in step))
            assert all(line.startswith("  ") for line in step[1:])


def test_what_is_said_or_asked_within_a_step_has_the_line_for_itself() -> None:
    with puppets.on_terminal("web1") as terminal:
        terminal.did("web1", "step", "Connecting")
        terminal.until(lambda: any(line.endswith("Connecting") for line in terminal.lines))
        terminal.did("web1", "note", "hello")
        terminal.tell("web1", "secret", "Password of ops")
        terminal.until_text("Password of ops:")
        terminal.until(lambda: not terminal.echoes())
        assert terminal.lines == ["hello", "Password of ops:"]
        terminal.type("geheim\n")
        terminal.until_text("the answer has 6 letters")
        terminal.did("web1", "step", "Within")
        terminal.until(lambda: terminal.lines[-1].endswith("Within"))
        terminal.did("web1", "end")
        terminal.until(lambda: terminal.lines[-1].endswith("Connecting"))
        for _ in range(2):
            terminal.tell("web1", "end")
        assert terminal.end() == 0
    assert [re.sub(r"[\d.]+ s", "1 s", line) for line in terminal.lines] == [
        "hello",
        "Password of ops:",
        "the answer has 6 letters",
        "✓ Within (1 s)",
        "✓ Connecting (1 s)",
        "web1 it is",
        "exit code 0, without rich",
    ]


@pytest.mark.parametrize("verb", ["confirm", "secret"])
@pytest.mark.parametrize("typed", ["\x03", "\x04"], ids=["^C", "^D"])
def test_a_prompt_that_is_not_answered_has_its_line_ended(verb: str, typed: str) -> None:
    with puppets.on_terminal("web1") as terminal:
        terminal.until_obeyed("web1", "begin alone")
        terminal.tell("web1", verb, "Password of ops" if verb == "secret" else "Sure?")
        terminal.until(lambda: any(line.endswith((":", "[y/N]")) for line in terminal.lines))
        terminal.type(typed)
        if (verb, typed) == ("confirm", "\x04"):
            terminal.tell("web1", "end")
        terminal.end()
    prompt, *rest = terminal.lines
    assert prompt.removesuffix("^C").rstrip() == {"secret": "Password of ops:", "confirm": "Sure? [y/N]"}[verb]
    if typed == "\x03":
        assert rest == ["exit code 130, without rich"]
    elif verb == "confirm":
        assert rest[0] == "the answer is False"
    else:
        assert rest[0] == "Error: No answer was given"


def test_an_error_is_red_on_a_terminal_and_its_commands_stand_apart(store: Store) -> None:
    with at_terminal("-s", store.root, "url", "ghost", store=store.root) as (_, terminal):
        assert everything(terminal).splitlines() == [
            '\x1b[31mError: Docker machine "ghost" does not exist\x1b[0m',
            "  Set up a server over SSH:",
            f"  \x1b[1mmachinectl -s {store.root} create <USER>@<HOST> ghost\x1b[0m",
            "  Register an engine that runs:",
            f"  \x1b[1mmachinectl -s {store.root} create tcp://<HOST>:2376 ghost\x1b[0m",
        ]


def test_a_signal_at_any_moment_of_a_question_leaves_no_lock_held(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the spinner's thread, and whoever waits for it, would never end.
    def ask(terminal: Terminal, moment: int) -> BaseException | None:
        """Raise SystemExit when the function with this number is called, as the handler of a signal does."""
        calls = itertools.count()

        def interrupt(_: FrameType, event: str, __: object) -> None:
            if event == "call" and next(calls) == moment:
                sys.setprofile(None)
                raise SystemExit

        sys.setprofile(interrupt)
        try:
            terminal.ask("Trust it? ")
        except (Unanswered, SystemExit) as exc:
            return exc
        finally:
            sys.setprofile(None)
        return None

    with Path(os.devnull).open() as nobody, ThreadPoolExecutor(1) as another:
        monkeypatch.setattr("sys.stdin", nobody)
        for moment in itertools.count():
            terminal = Terminal("machinectl")
            # Its traceback keeps alive what the signal has interrupted.
            error = ask(terminal, moment)
            assert another.submit(terminal.spinner.lock.acquire, blocking=False).result()
            another.submit(terminal.spinner.lock.release).result()
            if isinstance(error, Unanswered):
                break
    assert moment > 3


class ClosedTerminal(io.RawIOBase):
    """What a terminal is that closes during a read, to a process that ignores SIGHUP."""

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def readinto(self, _: WriteableBuffer) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_terminal_that_closes_at_a_question_or_a_paste_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(ClosedTerminal())))
    terminal = Terminal("machinectl")
    with pytest.raises(Unanswered):
        terminal.ask("Trust it? (yes/no/[fingerprint]) ")
    with pytest.raises(MachineError, match="stdin holds no answer"):
        read_pasted(cast("Session", SimpleNamespace(console=terminal)), "", "answer")
