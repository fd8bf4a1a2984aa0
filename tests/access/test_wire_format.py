"""Requests and answers survive what chats and mail programs do to text, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import certs
from machinectl.access import wire_format
from machinectl.access.messages import (
    AccessAnswer,
    AccessRequest,
    AnsweredMachine,
    RequestedMachine,
    new_access_answer,
    new_access_request,
    read_access_answer,
    read_access_request,
)
from machinectl.errors import MachineError
from machinectl.machines.addresses import MOST_ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
UNTIL = NOW + timedelta(days=7)


@cache
def key() -> bytes:
    return certs.new_key()


@cache
def request() -> AccessRequest:
    return new_access_request(
        "alice@laptop", [RequestedMachine("orionbox", certs.signing_request(key(), "alice"))], NOW
    )


@cache
def answer() -> AccessAnswer:
    ca = certs.new_ca("machinectl orionbox", now=NOW)
    public = certs.own_public_key(key())
    certificate = certs.sign_client(ca, public.pem, "alice", UNTIL, now=NOW)
    machine = AnsweredMachine(
        "orionbox",
        "tcp://192.168.0.29:2376",
        UNTIL,
        ca.certificate,
        certificate + certs.new_ca("machinectl orionbox alice").certificate,
        public.digest,
        (f"192.168.0.29 ssh-ed25519 {ED25519}",),
        (("role", "web"),),
    )
    return new_access_answer(request().id, "bob@desk", [machine], NOW)


def test_a_request_is_read_as_it_was_written() -> None:
    read = read_access_request(request().text().encode())
    assert read == request()
    assert read.machines[0].key == certs.own_public_key(key())


def test_an_answer_is_read_as_it_was_written() -> None:
    assert read_access_answer(answer().text().encode()) == answer()


def test_further_addresses_and_a_newer_name_are_fields_that_other_versions_need_not_know() -> None:
    assert "addresses" not in json.loads(answer().content)["machines"][0]
    several = ["10.8.0.29", "fd00::1d", "orion.vpn"]
    read = read_access_answer(changed("ANSWER", answer().content, {"addresses": several}))
    assert read.machines == (replace(answer().machines[0], addresses=tuple(several)),)
    assert read.machines[0].fields()["addresses"] == several
    assert "called" not in json.loads(answer().content)["machines"][0]
    read = read_access_answer(changed("ANSWER", answer().content, {"called": "vega"}))
    assert (read.machines[0].called, read.machines[0].fields()["called"]) == ("vega", "vega")
    with pytest.raises(MachineError):
        read_access_answer(changed("ANSWER", answer().content, {"called": "a b"}))
    newer = changed("ANSWER", answer().content, {"unknown field": "x"})
    assert read_access_answer(newer).machines == answer().machines


def quoted(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


CHANGES: dict[str, Callable[[str], str]] = {
    "quoted twice": lambda text: quoted(text, ">> "),
    "in a code fence": lambda text: f"```\n{text}```\n",
    "indented": lambda text: quoted(text, "\t  "),
    "with blanks at the end": lambda text: text.replace("\n", "  \n"),
    "with CRLF": lambda text: text.replace("\n", "\r\n"),
    "with a BOM": lambda text: f"\ufeff{text}",
    "between other words": lambda text: f"Hi Bob!\n--\n{text}\nThanks\n-- \nAlice\n",
    "answered above its quote": lambda text: f"{text}\nOn Friday, Alice wrote:\n{quoted(text, '> ')}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_chats_may_change_the_text(change: Callable[[str], str]) -> None:
    assert read_access_request(change(request().text()).encode()) == request()
    assert read_access_answer(change(answer().text()).encode()) == answer()


@given(st.data())
def test_a_character_that_is_lost_or_changed_is_noticed_or_harmless(data: st.DataObject) -> None:
    """Some bits change nothing: unused ones of base64's last character, other codes of zlib for the same bytes."""
    text = request().text()
    first, last = text.index("REQUEST-----\n") + 13, text.index("-----END")
    at = data.draw(st.sampled_from([at for at in range(first, last) if text[at] != "\n"]))
    other = data.draw(st.sampled_from(["", "A", "/", "?", "é"]))
    if other == text[at]:
        return
    try:
        found: object = read_access_request(f"{text[:at]}{other}{text[at + 1 :]}".encode())
    except MachineError as damaged:
        found = damaged.cause
    assert found == request() or "damaged on its way" in str(found) or "holds no request" in str(found)


@given(st.data())
def test_a_text_that_is_cut_is_refused(data: st.DataObject) -> None:
    text = answer().text()
    end = data.draw(st.integers(0, text.index("-----END") + 20))
    with pytest.raises(MachineError, match=r"cut short|holds no answer"):
        read_access_answer(text[:end].encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def fields_of(content: bytes) -> list[tuple[str, ...]]:
    values = json.loads(content)
    return [(key,) for key in values] + [("machines", key) for key in values["machines"][0]]


@given(st.data(), JSON)
def test_a_forged_field_is_refused_or_harmless(data: st.DataObject, value: Any) -> None:
    """Whatever stands in a field, what comes out can be shown on a terminal."""
    for kind, content, read in (
        (wire_format.REQUEST, request().content, read_access_request),
        (wire_format.ANSWER, answer().content, read_access_answer),
    ):
        values = json.loads(content)
        *parents, key = data.draw(st.sampled_from(fields_of(content)))
        (values["machines"][0] if parents else values)[key] = value
        text = wire_format.pem_text(kind, "", json.dumps(values).encode())
        try:
            found: Any = read(text.encode())
        except MachineError:
            continue
        words = [found.sender, found.fingerprint, *(machine.name for machine in found.machines)]
        for machine in found.machines if kind == wire_format.ANSWER else ():
            words += [machine.url, *machine.known_hosts, *(word for label in machine.labels for word in label)]
        assert all(word.isprintable() for word in words)


def changed(kind: str, content: bytes, machine: dict[str, Any] | None = None, **values: Any) -> bytes:
    found = {**json.loads(content), **values}
    found["machines"][0].update(machine or {})
    return wire_format.pem_text(kind, "", json.dumps(found).encode()).encode()


@pytest.mark.parametrize(
    "sender",
    [
        "bob@desk. The fingerprint is abcd",
        "bob@abcd-efgh-2345-wxyz",
        "bob_ABCD.efgh.2345.wxyz",
        "b\u043eb@desk",
        "bob@desk\u2800",
        "-bob",
        "b" * 65,
        "",
    ],
)
def test_a_sender_cannot_vouch_for_another_text(sender: str) -> None:
    """It is shown beside the fingerprint that people compare."""
    forged: dict[str, Any] = {"from": sender}
    with pytest.raises(MachineError, match='its "from" is invalid'):
        read_access_request(changed(wire_format.REQUEST, request().content, **forged))
    with pytest.raises(MachineError, match='its "by" is invalid'):
        read_access_answer(changed(wire_format.ANSWER, answer().content, by=sender))


@pytest.mark.parametrize(
    "machine",
    [
        {"name": "../etc"},
        {"name": "\x1b[31mred"},
        {"name": ""},
        {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"},
        {"csr": 7},
    ],
)
def test_a_forged_machine_in_a_request_is_refused(machine: dict[str, Any]) -> None:
    with pytest.raises(MachineError, match="not one that machinectl writes"):
        read_access_request(changed("REQUEST", request().content, machine))


@pytest.mark.parametrize(
    "machine",
    [
        {"url": "tcp://-oProxyCommand=x"},
        {"url": "tcp://host:2376/../.."},
        {"url": "tcp://a\x1b[2J"},
        {"until": "tomorrow"},
        {"key": "ABC"},
        {"ca": ""},
        {"certificate": ["x"]},
        {"labels": {"role": "\x1b]0;title\x07"}},
        {"labels": {"\u202egnp": "x"}},
        {"labels": {"a=b": "x"}},
        {"until": "2026-12-06T12:00:00Z"},
        {"known_hosts": [f"@cert-authority * ssh-ed25519 {ED25519}"]},
        {"known_hosts": [f"* ssh-ed25519 {ED25519}"]},
        {"known_hosts": ["orionbox ssh-ed25519 AAAA"]},
        {"known_hosts": "orionbox"},
        {"addresses": "10.8.0.29"},
        {"addresses": [10]},
        {"addresses": ["-oProxyCommand=x"]},
        {"addresses": ["orion.vpn\x1b[2J"]},
        {"addresses": ["\u202eorion"]},
        {"addresses": ["10.8.0.29", "10.8.0.29"]},
        {"addresses": [f"10.8.0.{last}" for last in range(MOST_ADDRESSES + 1)]},
    ],
)
def test_a_forged_machine_in_an_answer_is_refused(machine: dict[str, Any]) -> None:
    with pytest.raises(MachineError, match="not one that machinectl writes"):
        read_access_answer(changed("ANSWER", answer().content, machine))


@pytest.mark.parametrize("field", ["ca", "certificate"])
def test_an_answer_holds_certificates_and_nothing_else(field: str) -> None:
    there = json.loads(answer().content)["machines"][0][field]
    for text in (f"junk\n{there}", f"{key().decode()}{there}", f"{there}{key().decode()}", f"{there}\n", "junk"):
        with pytest.raises(MachineError, match=f'"{field}" is invalid'):
            read_access_answer(changed("ANSWER", answer().content, {field: text}))


def test_an_answer_cannot_point_to_a_socket_of_this_computer() -> None:
    with pytest.raises(MachineError, match="must begin with tcp://"):
        read_access_answer(changed("ANSWER", answer().content, {"url": "unix:///var/run/docker.sock"}))
    with pytest.raises(MachineError, match="must begin with tcp://"):
        read_access_answer(changed("ANSWER", answer().content, {"url": "ssh://ops@192.168.0.29"}))


def test_a_certificate_request_of_another_sender_is_refused() -> None:
    """The signature proves that the sender has the private key."""
    machine = json.loads(request().content)["machines"][0]
    body = machine["csr"].splitlines()
    at = len(body) - 2
    last = body[at]
    body[at] = ("A" if last[-5] != "A" else "B").join([last[:-5], last[-4:]])
    with pytest.raises(MachineError, match='"csr" is invalid'):
        read_access_request(changed("REQUEST", request().content, {"csr": "\n".join(body) + "\n"}))


def test_a_text_that_unpacks_to_too_much_is_refused() -> None:
    text = wire_format.pem_text("REQUEST", "", b" " * (wire_format.LONGEST_CONTENT + 1))
    assert len(text) < 2000
    with pytest.raises(MachineError, match="damaged on its way"):
        read_access_request(text.encode())


def test_the_other_kind_names_its_command() -> None:
    for sent, read, kinds, verb in (
        (answer(), read_access_request, "the answer, not the request", "accept"),
        (request(), read_access_answer, "the request, not the answer", "grant"),
    ):
        with pytest.raises(MachineError, match=f"That is {kinds}") as refused:
            read(sent.text().encode())
        assert refused.value.hint == f"Give it to: machinectl access {verb}"


def test_the_end_of_a_pasted_text_is_noticed_at_its_line() -> None:
    for text in (request().text(), quoted(answer().text(), "> ")):
        lines = text.encode().splitlines(keepends=True)
        complete = [wire_format.is_complete(b"".join(lines[: at + 1])) for at in range(len(lines))]
        assert complete == [False] * (len(lines) - 1) + [True]
    assert wire_format.is_complete(b" " * (wire_format.LONGEST_TEXT + 1))
