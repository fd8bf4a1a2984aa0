"""What a dry run prints: what would be done, and diffs in colour."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from machinectl.cli.tables.results import plan_report, print_plans
from machinectl.hosts.host_plan import HostPlan, Outcome

if TYPE_CHECKING:
    import pytest

DIFF = ("--- /etc/docker/daemon.json", "+++ /etc/docker/daemon.json", "@@ -1 +1 @@", "-{}", '+{"debug": true}', " }")


def test_nothing_to_do_is_said_once() -> None:
    well = HostPlan(("No engine",), (Outcome("Open the firewall", changed=False),))
    assert list(plan_report(well)) == ["No engine", "All is as it should be: nothing would be done"]


def test_a_diff_is_coloured_on_a_terminal_and_what_a_host_said_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "write /etc/\x1b[2J\nWould do nothing"
    plan = HostPlan((), (Outcome("Starting the engine", changed=True, details=(evil, *DIFF)),))
    plain = [
        "Planned: Starting the engine",
        "    write /etc/\\x1b[2J\\nWould do nothing",
        *(f"    {line}" for line in DIFF),
    ]
    assert list(plan_report(plan)) == plain
    monkeypatch.setattr("machinectl.cli.output.style.is_drawn_on", lambda _: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert list(plan_report(plan)) == [
        *plain[:2],
        "    \x1b[1m--- /etc/docker/daemon.json\x1b[0m",
        "    \x1b[1m+++ /etc/docker/daemon.json\x1b[0m",
        "    \x1b[36m@@ -1 +1 @@\x1b[0m",
        "    \x1b[31m-{}\x1b[0m",
        '    \x1b[32m+{"debug": true}\x1b[0m',
        "     }",
    ]


def test_all_of_a_dry_run_is_written_before_the_program_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BufferedWriter(written), encoding="utf-8"))
    plan = HostPlan(("No engine",))
    assert list(print_plans([("a", plan), ("b", plan)], several=True)) == []
    assert written.getvalue() == b"a:\nNo engine\nb:\nNo engine\nNothing was changed\n"
