"""The pictures of docs/, recorded from real sessions with hosts of the lab: `make pictures`, as root on Debian."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.hosts.test_setup_lab import IMAGE, RUN
from tests.lab.lan import Lab
from tests.lab.place import KEY
from tests.support.at_shell import Person, at_shell
from tests.support.pages import DOCS, README, blocks
from tests.support.program import resize
from tests.support.sshd import SSHConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pyte.screens import Char

    from tests.lab.host import Host

IMAGES = DOCS / "images"
PROMPT = "$"
# How questions end.
QUESTIONS = ("[y/N]", "(yes/no/[fingerprint])")
# Readers may be offline, and GitHub shows no picture that loads a font.
FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
# The usual width of a terminal. Columns.
NARROW = 80
# Lines, for the longest screen.
HIGHEST = 100
# A machine on the board: its sign, name, time and step.
BOARD_LINE = re.compile(r"\W\s+\S+\s+(?:[\d.]+ (?:min|s)\s*)+(.*)")
# The step at which the board is recorded: of engines in use, one restarts.
RESTARTING = "Configuring the engine and restarting it"
TURN = "waiting for its turn"
# What differs from one session to the next: fingerprints, addresses, times, versions, identifiers.
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
VARYING = re.compile(r"[0-9a-f]{64}|(?:less than a second|\d+ seconds?) ago|\d[\w.:+~-]*|─+|…")


class Session:
    """A person at a terminal."""

    def __init__(self, person: Person, home: str) -> None:
        self.person = person
        self.home = home
        person.type("PS1='$ '; clear\r")
        person.until(lambda: person.lines == [PROMPT])

    def run(self, command: str, watch: Callable[[], None] = lambda: None) -> None:
        """Type a command, answer yes to its questions, and wait for the next prompt; `watch` sees each screen."""
        lines = self.person.lines
        prompts = sum(line.startswith(PROMPT) for line in lines)

        def stopped() -> bool:
            watch()
            now = self.person.lines
            ended = now[-1:] == [PROMPT] and sum(line.startswith(PROMPT) for line in now) > prompts
            return ended or asks()

        def asks() -> bool:
            # The terminal may have wrapped the question.
            text = "".join(self.person.lines)
            return text.endswith(QUESTIONS) and sum(map(text.count, QUESTIONS)) > answered

        answered = sum(map("".join(lines).count, QUESTIONS))
        self.person.type(f"{command}\r")
        self.person.until(stopped)
        while self.person.lines[-1] != PROMPT:
            answered += 1
            self.person.type("y\r")
            self.person.until(stopped)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal, as who drags its window does."""
        self.person.screen.resize(rows, columns)
        resize(self.person.terminal, rows, columns)

    def take(self, name: str, command: str, columns: int = NARROW) -> tuple[str, str]:
        """Run a command on an empty screen of some width, and return its picture with its name."""
        self.resize(columns, HIGHEST)
        self.clear()
        self.run(command)
        return name, self.picture(name)

    def clear(self) -> None:
        self.person.type("clear\r")
        self.person.until(lambda: self.person.lines == [PROMPT])

    def picture(self, name: str) -> str:
        """Return what is on the screen as SVG, without the prompt at the end."""
        screen = self.person.screen
        rows = [row for row in range(screen.lines) if screen.display[row].strip()]
        if len(rows) > 1 and self.person.lines[-1] == PROMPT:
            rows.pop()
        lines = [_line(screen.buffer[row], screen.columns, self.home) for row in range(rows[-1] + 1)]
        width = max(line.cell_len for line in lines) + 1
        console = Console(record=True, width=width, file=io.StringIO())
        for line in lines:
            console.print(line, no_wrap=True, crop=False)
        return FONT.sub("", console.export_svg(title="machinectl", unique_id=name))


def _line(cells: Mapping[int, Char], columns: int, home: str) -> Text:
    """Return a line of a terminal's screen with its colours, and a home directory as users have one."""
    line = Text()
    for (colour, bold, reverse), run in itertools.groupby(
        (cells[column] for column in range(columns)), key=lambda cell: (cell.fg, cell.bold, cell.reverse)
    ):
        shown = None if colour == "default" else {"brown": "yellow"}.get(colour, colour)
        line.append(
            "".join(cell.data for cell in run).replace(home, "/home/me"), Style(color=shown, bold=bold, reverse=reverse)
        )
    line.rstrip()
    return line


def text_of(svg: str) -> list[str]:
    """Return the lines of a picture, with single spaces."""
    found: dict[float, list[tuple[float, str]]] = {}
    for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        if "clip-path" in node.attrib:
            place = found.setdefault(float(node.attrib["y"]), [])
            place.append((float(node.attrib["x"]), node.text or ""))
    return [" ".join(" ".join(text for _, text in sorted(found[y])).split()) for y in sorted(found)]


def steady(lines: Iterable[str]) -> str:
    """Return lines as one text, without wraps, blanks and what differs from one session to the next."""
    return "".join(VARYING.sub("0", FINGERPRINT.sub("0", "".join(lines))).split())


def record(lab: Lab) -> dict[str, str]:
    """Play the sessions, and return the pictures by their names."""
    [bare], others = lab.up(), lab.up(["docker"], count=2)
    for host in (bare, *others):
        host.wait_booted()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory(prefix="") as home:
        config = SSHConfig(Path(directory))
        config.write(f"IdentityFile {KEY}")
        config.known_hosts.write_text("".join(f"{host.ip} {host.host_key}\n" for host in others))
        path = f"{home}/bin:{config.bin}:{os.environ['PATH']}"
        with at_shell("bash", Path(home), environment={"PATH": path, "TERM": "xterm-256color"}) as person:
            return dict(_pictures(Session(person, home), Path(home), bare, others))


def _pictures(session: Session, home: Path, bare: Host, others: list[Host]) -> Iterator[tuple[str, str]]:
    [quick_start] = [block for block in blocks(README, "console") if "rm --purge" in block]
    for line in quick_start.splitlines():
        if line.startswith("$ docker run"):
            # Without a registry: the host's own busybox is the image.
            serve = """CMD ["/bin/busybox", "httpd", "-f"]"""
            bare.run(f"tar -C /usr -c bin/busybox | docker import -c '{serve}' - nginx")
        session.run(line.removeprefix("$ ").replace("192.168.0.29", bare.ip))
    yield "session", session.picture("session")
    # As if the host were new.
    session.run("machinectl rm --forget -y orionbox")

    hosts = {"orionbox": bare, "rigel": others[0], "vega": others[1]}
    yield session.take("create", f"machinectl create ops@{bare.ip} orionbox")
    (home / "fleet.yaml").write_text(
        json.dumps(
            {
                "defaults": {"driver": "generic", "generic-ssh-user": "ops", "engine-opt": ["log-driver=local"]},
                "hosts": {name: {"generic-ip-address": host.ip} for name, host in hosts.items()},
            }
        )
    )
    yield session.take("plan", "machinectl plan")
    session.clear()
    for host in hosts.values():
        host.run(f"{IMAGE}; {RUN.format('app')}")
    boards: list[str] = []

    def watch() -> None:
        if not boards and steps_of(session.person.lines) == [RESTARTING, TURN, TURN]:
            boards.append(session.picture("apply"))

    session.run("machinectl apply --yes", watch)
    yield "apply", boards[0]
    yield "applied", session.picture("applied")
    hosts["vega"].run("systemctl stop docker.socket docker")
    yield session.take("ls", "machinectl ls")
    yield session.take("ls-40", "machinectl ls", 40)
    bare.run("sed -i '/tlsverify/s/true/false/' /etc/docker/daemon.json")
    yield session.take("doctor", "machinectl doctor orionbox")
    yield session.take("help", "machinectl")


def steps_of(lines: Iterable[str]) -> list[str]:
    """Return the steps that machines are at in the lines of a board."""
    return [found[1] for line in lines if (found := BOARD_LINE.match(line))]


def main() -> None:
    """Record the pictures in a lab of their own."""
    lab = Lab.claim()
    try:
        pictures = record(lab)
    finally:
        lab.down()
    IMAGES.mkdir(exist_ok=True)
    for name, svg in pictures.items():
        (IMAGES / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
