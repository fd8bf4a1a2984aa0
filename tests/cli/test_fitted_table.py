"""Tables on terminals of all widths."""

from __future__ import annotations

import pytest

from machinectl.cli.tables.text_table import Fitting, fitted_rows

HEADINGS = ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS"]
WEB = ["web1", "-", "generic", "Running", "tcp://192.168.0.29:2376", "", "v28.2.2", ""]
REFUSED = "192.168.0.31:2376 refuses the connection: nothing listens there"
NAS = ["nas", "-", "generic", "Stopped", "tcp://nas.rack-4.storage.example.org:2376", "", "Unknown", REFUSED]
FITTING = Fitting("ERRORS", spare=("DRIVER", "DOCKER"))


def lines(*rows: list[str], width: int) -> list[str]:
    return [line for row in fitted_rows(HEADINGS, rows, width, FITTING) for line in row]


def test_empty_columns_are_left_out_and_errors_go_below_the_row() -> None:
    assert lines(WEB, NAS, width=120) == [
        "NAME   DRIVER    STATE     URL                                         DOCKER",
        "web1   generic   Running   tcp://192.168.0.29:2376                     v28.2.2",
        "nas    generic   Stopped   tcp://nas.rack-4.storage.example.org:2376   Unknown",
        f"  {REFUSED}",
    ]


def test_a_long_url_is_shortened_before_another_column_is_left_out() -> None:
    assert lines(WEB, NAS, width=64) == [
        "NAME  DRIVER   STATE    URL                              DOCKER",
        "web1  generic  Running  tcp://192.168.0.29:2376          v28.2.2",
        "nas   generic  Stopped  tcp://nas.rack-4.storage.examp…  Unknown",
        "  192.168.0.31:2376 refuses the connection: nothing listens",
        "  there",
    ]


def test_columns_are_left_out_before_a_url_is_unreadable() -> None:
    assert lines(WEB, NAS, width=40) == [
        "NAME  STATE    URL",
        "web1  Running  tcp://192.168.0.29:2376",
        "nas   Stopped  tcp://nas.rack-4.storage…",
        "  192.168.0.31:2376 refuses the",
        "  connection: nothing listens there",
    ]


def test_a_table_without_rows_has_all_headings_that_fit() -> None:
    assert lines(width=80) == ["NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER"]
    assert lines(width=20) == ["NAME  ACTIVE  STATE"]


def test_a_text_that_matters_is_wrapped_in_its_column() -> None:
    fitting = Fitting(spare=("NAME",), wrapped=("ENGINE",))
    rows = [["10.0.0.29", "web.example.org", "2375: PLAIN TCP, ROOT FOR ANYBODY (Docker/28.2)"]]
    assert fitted_rows(["ADDRESS", "NAME", "ENGINE"], rows, 40, fitting) == [
        ["ADDRESS    ENGINE"],
        ["10.0.0.29  2375: PLAIN TCP, ROOT FOR", "           ANYBODY (Docker/28.2)"],
    ]


@pytest.mark.parametrize("width", range(1, 130, 3))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    found = lines(WEB, NAS, ["引擎安装" * 10, *NAS[1:-1], "引擎" * 40], width=width)
    assert max(sum(1 + (ord(letter) > 0x3000) for letter in line) for line in found) <= width
