"""An engine's clock, as its answers have it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import CheckFailed
from machinectl.hosts import certificate_files
from machinectl.hosts.certificate_files import check_engine_clock
from machinectl.machines.record import Machine
from tests.support import servers
from tests.support.registered import added
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from machinectl.machines.store import Store

WEEK = timedelta(days=7)


def check(store: Store, date: str) -> None:
    """Check the clock of an engine whose answers have this header for a certificate that is valid for a week."""

    def behaviour(connection: servers.Connection) -> None:
        while connection.request():
            connection.send(servers.answer(b"OK", headers=date))

    with serving(behaviour) as port:
        check_engine_clock(machine_at(store, port), datetime.now(UTC) + WEEK)


def machine_at(store: Store, port: int) -> Machine:
    url = f"tcp://127.0.0.1:{port}"
    return added(store, Machine("orion", "none", url=url, driver_state=f'{{"URL": "{url}"}}'))


@pytest.mark.parametrize(
    ("year", "words"),
    [("2100", "2100-01-01 00:00 UTC, .* days ahead of the clock"), ("2000", "2000-01-01 .* days behind the clock")],
)
def test_a_clock_that_would_refuse_the_certificate_is_an_error_that_says_by_how_much(
    store: Store, year: str, words: str
) -> None:
    with pytest.raises(CheckFailed, match=words):
        check(store, f"Date: Sat, 01 Jan {year} 00:00:00 GMT\r\n")


@pytest.mark.parametrize("date", ["", "Date: today\r\n", "Date: Fri, 31 Dec 9999 23:59:59 -2359\r\n"])
def test_an_engine_that_does_not_say_the_time_or_is_off_is_no_error(store: Store, date: str) -> None:
    check(store, date)
    machine = store.read("orion")
    machine.driver_state = f'{{"URL": "tcp://127.0.0.1:{free_port()}"}}'
    check_engine_clock(machine, datetime.now(UTC) + WEEK)


def test_an_engine_that_only_ssh_leads_to_is_not_asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = added(store, Machine("orion", "none", url="ssh://ops@192.0.2.29"))
    monkeypatch.setattr(certificate_files, "dial", lambda *_: pytest.fail("it is asked"))
    check_engine_clock(machine, datetime.now(UTC) + WEEK)
