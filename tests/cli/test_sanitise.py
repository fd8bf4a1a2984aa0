"""What hosts, servers and files say: nothing of it is a command to a terminal, wherever it is printed."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.output.boards import PlainBoard
from machinectl.cli.output.exit_status import guarded
from machinectl.cli.output.stdout import print_json
from machinectl.cli.output.style import harmless
from machinectl.cli.output.terminal import Terminal
from machinectl.cli.tables.results import print_plan
from machinectl.cli.tables.text_table import cell_text
from machinectl.errors import Hint, MachineError
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.ssh.ssh_errors import LoginRefused
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything

if TYPE_CHECKING:
    import pytest

    from machinectl.machines.store import Store
    from tests.support.servers import Connection

# To clear the screen, to name the window, the same as one C1 control, and to turn the line's direction.
EVIL = "a\x1b[2J\x1b]0;owned\x07\x9b2J\u202egnp\x7f\rb"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@given(st.text())
def test_nothing_that_a_terminal_would_obey_comes_through(text: str) -> None:
    assert not CONTROL.search(harmless(text))
    harmless(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert harmless(f"{text}\n\t{text}") == f"{text}\n\t{text}"


@given(st.text())
def test_json_stays_what_it_means(text: str) -> None:
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) as out:
        print_json([text])
    told = out.buffer.getvalue().decode()
    assert json.loads(told) == [text]
    assert not CONTROL.search(told)


def test_every_way_to_the_person_is_harmless(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal("machinectl")
    terminal.note(EVIL)
    terminal.warn(EVIL)
    with terminal.step(EVIL):
        pass
    with PlainBoard(terminal, "machinectl", ["orion"]) as board:
        one = board.console("orion")
        one.note(EVIL)
        one.warn(EVIL)
        with one.step(EVIL):
            pass

    def fails() -> int:
        raise MachineError(EVIL, Hint(EVIL, EVIL))

    guarded(fails)
    print_plan(HostPlan((EVIL,), (Outcome(EVIL, changed=True, details=(EVIL,)),)))
    print_json({EVIL: EVIL})
    out, err = capfd.readouterr()
    assert out.count("gnp") == 5
    assert err.count("gnp") == 9
    assert not CONTROL.search(out + err + cell_text(EVIL))


def test_what_an_ssh_server_says_is_one_line_that_ends() -> None:
    said = LoginRefused("it accepts publickey\nWarning: run this: …\r\n" + "x" * 100000).cause
    assert "\n" not in said
    assert len(said) <= 1000


def evil_engine(connection: Connection) -> None:
    """An engine that means harm to whoever reads what it says."""
    connection.request()
    body = json.dumps({"Version": EVIL, "ApiVersion": EVIL, "message": EVIL}, ensure_ascii=False).encode()
    head = f"HTTP/1.1 500 {EVIL}\r\nServer: Docker\r\nApi-Version: {EVIL}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.send(head.encode() + body)


def test_an_engine_that_means_harm_writes_to_no_terminal(store: Store) -> None:
    with servers.serving(evil_engine) as port:
        words = ["create", "-d", "none", "--url", f"tcp://127.0.0.1:{port}", "evil"]
        assert machinectl(*words, store=store.root).returncode == 0
        for words in (["ls", "-t", "2"], ["status", "evil"], ["version", "evil"], ["api", "evil", "/info"]):
            with at_terminal(*words, store=store.root, environment={"NO_COLOR": "1"}) as (_, terminal):
                said = re.sub(r"\x1b\[\d+A\x1b\[J", "", everything(terminal).replace("\r\n", "\n"))
            assert not CONTROL.search(said), words
