"""Further addresses of a machine: which are refused, and where its engine may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import UsageError
from machinectl.hosts.editing import Edit
from machinectl.machines.addresses import check_free, parse_address, parse_addresses
from machinectl.machines.record import BrokenRecord, Machine, Phase, parse_record
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store

URL = "tcp://192.168.0.29:2376"


def machine(name: str = "orion", url: str = URL, **more: Any) -> Machine:
    state = json.dumps({"URL": url})
    return Machine(
        name,
        "none",
        url=url,
        tls=url.startswith("tcp"),
        driver_state=state,
        phase=Phase.READY,
        **more,
    )


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("10.8.0.29", "10.8.0.29"),
        (" orion.vpn ", "orion.vpn"),
        ("fd00::1d", "fd00::1d"),
        ("[fd00::1d]", "fd00::1d"),
    ],
)
def test_an_address_or_a_name_is_taken_as_it_is(typed: str, address: str) -> None:
    assert parse_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "10.8.0.29:2376",
            "[fd00::1d]:2376",
            "tcp://10.8.0.29:2376",
            "ops@10.8.0.29",
            "unix:///x.sock",
            "fe80::1%eth0",
        ),
        *("fe80::1%eth0", "10.8.0", "10.8.0.29/24", "-oProxyCommand=x", "ops:hunter2@10.8.0.29", "a b", "", "a\x1b[2J"),
    ],
)
def test_what_is_no_host_alone_is_refused_and_no_password_is_shown(typed: str) -> None:
    with pytest.raises(UsageError, match="is not an address or a name alone") as refused:
        parse_address(typed)
    assert "hunter2" not in refused.value.cause
    assert refused.value.cause.isprintable()


def test_an_address_counts_once_in_any_form() -> None:
    assert parse_addresses(["a.lan", "A.lan.", "fd00::1", "fd00:0::1"]) == ("A.lan.", "fd00:0::1")
    with pytest.raises(UsageError, match=r"has at most 16 addresses .* not 17"):
        parse_addresses([f"10.8.0.{last}" for last in range(17)])


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        (URL, [URL, "tcp://10.8.0.29:2376", "tcp://[fd00::1d]:2376"]),
        ("ssh://ops@orion:2222", ["ssh://ops@orion:2222", "ssh://ops@10.8.0.29:2222", "ssh://ops@[fd00::1d]:2222"]),
        ("tcp://10.8.0.29:2376", ["tcp://10.8.0.29:2376", "tcp://[fd00::1d]:2376"]),
    ],
)
def test_the_engine_may_be_at_each_address_with_the_port_of_the_url(url: str, urls: list[str]) -> None:
    assert machine(url=url, addresses=["10.8.0.29", "fd00::1d"]).urls == urls


def edit(store: Store, **changes: object) -> Machine:
    with store.writing("orion") as held:
        Edit(**changes).carry_out(held)  # type: ignore[arg-type]
    return store.read("orion")


@pytest.mark.parametrize(
    ("url", "changes", "cause"),
    [
        ("unix:///var/run/docker.sock", {"addresses": ("10.8.0.29",)}, "without TLS or SSH"),
        (URL, {"addresses": ("10.8.0.29",), "tls": False}, "without TLS or SSH"),
        (URL, {"addresses": ("192.168.0.29",)}, "is the address in the URL"),
        (URL, {"addresses": ("10.8.0.29",), "url": "tcp://10.8.0.29"}, "is the address in the URL"),
        (URL, {"addresses": ("192.168.0.30",)}, 'is an address of the machine "rigel"'),
        (URL, {"addresses": ("RIGEL.vpn",)}, 'is an address of the machine "rigel"'),
    ],
)
def test_what_does_not_fit_the_machine_is_refused_and_changes_nothing(
    url: str, changes: dict[str, object], cause: str, store: Store
) -> None:
    added(store, machine("rigel", "tcp://192.168.0.30:2376", addresses=["rigel.vpn"]))
    before = added(store, machine(url=url)).dump()
    with pytest.raises(UsageError, match=cause):
        edit(store, **changes)
    assert store.read("orion").dump() == before


def test_another_engine_on_the_same_host_is_another_place(store: Store) -> None:
    added(store, machine("rigel", "tcp://10.8.0.29:2377"))
    check_free(store, machine(addresses=["10.8.0.29"]))


@pytest.mark.parametrize("addresses", [[1], ["-oProxyCommand=x"], ["a\x1b[2J"], [""], ["a b"], "10.8.0.29"])
def test_a_record_with_other_addresses_is_broken(addresses: object) -> None:
    record = {**json.loads(machine().dump()), "addresses": addresses}
    with pytest.raises(BrokenRecord, match="addresses"):
        parse_record("orion", json.dumps(record).encode())


def test_create_and_set_take_several_addresses(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = machinectl(*words, store=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run(
        "create",
        "--no-provision",
        "ssh://ops@192.168.0.29",
        "orion",
        "--address",
        "10.8.0.29",
        "--address",
        "[fd00::1d]",
    )
    assert json.loads(run("inspect", "--json", "orion"))["Addresses"] == ["10.8.0.29", "fd00::1d"]
    said = run("set", "--address", "orion.vpn", "orion")
    assert "--address=orion.vpn" in said
    run("fleet", "init", "--output", str(tmp_path / "fleet.yaml"))
    assert "address:" in (tmp_path / "fleet.yaml").read_text()
    run("set", "--address", "", "orion")
    assert json.loads(run("inspect", "--json", "orion"))["Addresses"] == []
