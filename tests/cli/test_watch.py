"""`ls --watch` as a person sees it: on terminals of all sizes, while hosts answer, come and go, and to its end."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyte
import pytest

from machinectl.machines.record import Machine
from tests.support import servers
from tests.support.program import at_terminal, machinectl, resize
from tests.support.puppets import OnTerminal
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.support.servers import Connection

QUICK = ("--interval", "0.1")
HEADING = re.compile(r"\d\d:\d\d:\d\d   every ([\d.]+ s, q quits)?")


class Engine:
    """An engine whose version is another one when the test says so."""

    version = "1.0.0"

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            said = json.dumps({"Version": self.version, "ApiVersion": "1.99"}).encode()
            connection.send(servers.answer(b"OK" if b" /_ping " in request else said))


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    """The engine of a machine orion."""
    engine = Engine()
    with servers.serving(engine) as port:
        added(store, Machine("orion", "none", url=f"tcp://127.0.0.1:{port}"))
        yield engine


@contextmanager
def watching(
    store: Store, *flags: str, columns: int = 80, rows: int = 24, colours: bool = False
) -> Iterator[OnTerminal]:
    environment = {} if colours else {"NO_COLOR": "1"}
    with at_terminal(
        "ls", "--watch", *flags, store=store.root, environment=environment, lines=rows, columns=columns
    ) as (process, ours):
        yield OnTerminal(process, io.StringIO(), ours, pyte.Screen(columns, rows))


def table(terminal: OnTerminal) -> list[str]:
    """What is on the screen below the heading."""
    return [line for line in terminal.lines if not HEADING.match(line)]


def test_what_changes_is_seen(store: Store, engine: Engine) -> None:
    with watching(store, *QUICK) as terminal:
        terminal.until_text("v1.0.0")
        engine.version = "2.0.0"
        terminal.until_text("v2.0.0")
        added(store, Machine("rigel", "none", url="tcp://127.0.0.1:1"))
        terminal.until(lambda: any(line.startswith("rigel ") and "Stopped" in line for line in terminal.lines))
        assert [line.split()[0] for line in table(terminal) if line[0] != " "] == ["NAME", "orion", "rigel"]
        with store.writing("orion") as held:
            held.remove()
        terminal.until(lambda: [line.split()[0] for line in table(terminal) if line[0] != " "] == ["NAME", "rigel"])
        terminal.type("\x03")
        assert terminal.end() == 0


def test_it_has_a_screen_of_its_own_and_leaves_what_was_seen_last(store: Store, engine: Engine) -> None:
    with watching(store, *QUICK) as terminal:
        assert terminal.echoes() in {True, False}
        terminal.until_text(f"v{engine.version}")
        assert not terminal.echoes()
        terminal.type("rm -rf x\n\x03")
        assert terminal.end() == 0
    raw = terminal.raw.decode()
    assert raw.startswith("\x1b[?1049h")
    _, _, left = raw.partition("\x1b[?1049l")
    left = left.removeprefix("\x1b[?25h")
    assert [line.split()[0] for line in left.splitlines()] == ["NAME", "orion"]
    assert "v1.0.0" in left
    assert "rm -rf" not in raw


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_it_fits_the_width(store: Store, columns: int) -> None:
    for number in range(3):
        added(store, Machine(f"a-machine-with-a-long-name-{number}", "none", url="tcp://127.0.0.1:1"))
    with watching(store, *QUICK, columns=columns) as terminal:
        # Any of them may be the last one to be asked.
        terminal.until(lambda: "".join(terminal.lines).replace(" ", "").count("nothinglistensthere") == 3)
        names = [line for line in table(terminal) if line[0] != " "]
        assert names[0].startswith("NAME")
        assert all(line.startswith("a-machine") for line in names[1:])
        assert ("tcp://127.0.0.1:1" in names[1]) == (columns > 20)
        assert all(len(line) < columns for line in terminal.lines)


def test_it_fits_the_height_and_counts_what_is_not_seen(store: Store) -> None:
    for number in range(30):
        added(store, Machine(f"m{number}", "none", url="tcp://127.0.0.1:1"))
    with watching(store, *QUICK, rows=12) as terminal:
        terminal.until_text("… 26 more")
        # Each with its error below it.
        assert [line.split()[0] for line in terminal.lines[1:-1] if line[0] != " "] == ["NAME", "m0", "m1", "m2", "m3"]


@pytest.mark.parametrize(("columns", "rows"), [(20, 5), (200, 50), (1, 1), (40, 2)])
def test_when_the_terminal_is_resized_it_is_drawn_anew_at_once(store: Store, columns: int, rows: int) -> None:
    for number in range(6):
        added(store, Machine(f"machine{number}", "none", url="tcp://127.0.0.1:1"))
    # It is not the next round that draws.
    with watching(store, "--interval", "3600") as terminal:
        terminal.until(lambda: sum("Stopped" in line for line in table(terminal)) == 6)
        terminal.screen.resize(rows, columns)
        resize(terminal.terminal, rows, columns)
        # The headings, two lines for each machine if the terminal is wide; a heading if there is room.
        wanted = {50: 14, 5: 3, 2: 2, 1: 1}[rows]
        terminal.until(
            lambda: len(terminal.lines) == wanted and all(len(line) < max(columns, 2) for line in terminal.lines)
        )
        terminal.type("\x03")
        assert terminal.end() == 0


def test_filters_and_a_template_work_as_without(store: Store, engine: Engine) -> None:
    added(store, Machine("rigel", "none", url="tcp://127.0.0.1:1"))
    with watching(store, *QUICK, "--filter", "state=Running", "-f", "table {{.Name}}\\t{{.DockerVersion}}") as terminal:
        terminal.until(lambda: table(terminal) == ["NAME    DOCKER", f"orion   v{engine.version}"])
    with watching(store, *QUICK, "--filter", "name=rig") as terminal:
        terminal.until_text("Stopped")
        assert [line.split()[0] for line in table(terminal) if line[0] != " "] == ["NAME", "rigel"]


def test_a_host_that_says_nothing_keeps_no_other_from_being_seen(store: Store, engine: Engine) -> None:
    with servers.serving(servers.silent) as port:
        added(store, Machine("mute", "none", url=f"tcp://127.0.0.1:{port}"))
        with watching(store, *QUICK, "-t", "60") as terminal:
            terminal.until_text(f"v{engine.version}")
            assert any(line.startswith("mute ") and "…" in line for line in terminal.lines)
            terminal.type("\x03")
            assert terminal.end() == 0


def test_what_ends_it_gives_the_terminal_back(store: Store, engine: Engine) -> None:
    with watching(store, *QUICK) as terminal:
        terminal.until_text(f"v{engine.version}")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert terminal.raw.count(b"\x1b[?1049l") == 1


def test_a_store_that_goes_bad_ends_it_with_its_error(store: Store, engine: Engine) -> None:
    with watching(store, *QUICK) as terminal:
        terminal.until_text(f"v{engine.version}")
        shutil.rmtree(os.path.join(store.root, "machines"))
        with open(os.path.join(store.root, "machines"), "w", encoding="utf-8"):
            pass
        assert terminal.end() == 1
    left = terminal.raw.decode().partition("\x1b[?1049l")[2]
    assert "machines" in left
    assert "Traceback" not in left


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--watch",), "--watch draws on a terminal"),
        (("--watch", "-q"), "exclude each other"),
        (("--watch", "--json"), "exclude each other"),
        (("--watch", "--removed"), "exclude each other"),
        (("--interval", "5"), "--interval says how often --watch draws"),
        (("--watch", "--interval", "0"), "--interval takes seconds from 0.1"),
        (("--watch", "--interval", "nan"), "nan"),
        (("-watch=true", "-interval=5"), "--watch draws on a terminal"),
        (("--watch", "-f", "{{.Bogus}}"), "--watch draws on a terminal"),
    ],
)
def test_what_cannot_be_drawn_is_refused(store: Store, flags: tuple[str, ...], said: str) -> None:
    done = machinectl("ls", *flags, store=store.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
