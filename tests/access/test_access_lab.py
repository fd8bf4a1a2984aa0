"""Two homes and one real engine: request, grant, accept, docker ps, end, refused. The private key stays where it is.

SSH and TLS are encrypted: what is searched for keys is what machinectl hands to them, besides the bytes on the wire.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from machinectl.access.wire_format import ANSWER, REQUEST, pem_content
from tests.lab.container import run_container
from tests.lab.network import Network
from tests.support.lab_cli import Cli, generic, plain
from tests.support.program import recorded
from tests.support.recording import spellings
from tests.support.wiretap import Wiretap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Done

pytestmark = pytest.mark.timeout(300)

RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
UNTIL_REFUSED = "while docker ps -q >/dev/null 2>&1; do sleep 0.2; done; echo refused"
BEGAN = "systemctl show docker -p MainPID"


class RecordedCli(Cli):
    """Keeps what its commands hand to SSH, to TLS and to other programs in a file beside the store."""

    @property
    def record(self) -> Path:
        return self.store.with_suffix(".record")

    def run(self, *arguments: str | Path, **environment: str) -> Done:
        return plain(recorded(self.record, self.store, *arguments, environment=environment))


def test_a_colleague_gets_access_until_the_owner_ends_it(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("docker")
    run_container(host, "web")
    running = host.output(RUNNING)
    cli.ok(*generic(host))
    alice, request, answer = Cli(tmp_path / "alice", cli.config), tmp_path / "request", tmp_path / "answer"
    said = [alice.ok("access", "request", "office:orion", "--for", "alice", "-o", request)]
    key = (alice.store / "machines/office/key.pem").read_text().splitlines()[1]

    assert "clients.pem" in cli.ok("access", "grant", "--dry-run", request).stdout
    said.append(cli.ok("access", "grant", "-y", "-o", answer, request))
    said.append(alice.ok("access", "accept", "-y", answer))

    assert alice.shell("office", "docker ps --format '{{.Names}}'") == "web"
    assert cli.is_running()
    assert "alice" in cli.ok("access", "ls").stdout
    # Her next certificates need no restart; one ends by itself.
    began = host.output(BEGAN)
    for lifetime in ("15s", "12h"):
        cli.ok("access", "grant", "-y", "--lifetime", lifetime, "-o", tmp_path / lifetime, request)
        alice.ok("access", "accept", "-y", tmp_path / lifetime)
        assert alice.shell("office", "docker ps --format '{{.Names}}'") == "web"
        if lifetime == "15s":
            assert alice.shell("office", UNTIL_REFUSED) == "refused"
    assert host.output(BEGAN) == began

    said.append(cli.ok("access", "end", "-y", "alice", "orion"))
    assert alice.shell("office", "docker ps -q 2>/dev/null || echo refused") == "refused"
    assert cli.is_running()
    assert host.output(RUNNING) == running
    assert "alice" not in cli.ok("access", "ls").stdout
    assert "was ended on" in cli.refused("access", "grant", "-y", request)

    # Where the private key is: in her machine, and in the copy for docker that she asked for.
    texts = [done.stdout + done.stderr for done in said]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    has_key = [path for path in files if key.encode() in path.read_bytes()]
    assert [path for path in has_key if alice.store not in path.parents and "contexts" not in path.parts] == []
    assert alice.store / "machines/office/key.pem" in has_key
    assert not any(key in text for text in texts)
    assert key not in host.output("cat /etc/docker/daemon.json /etc/docker/machinectl/*")


def test_the_private_key_is_in_nothing_that_leaves_the_computer_which_made_it(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    host = fresh_host("docker")
    owner = RecordedCli(tmp_path / "owner", cli.config)
    alice = RecordedCli(tmp_path / "alice", cli.config)
    request, answer = tmp_path / "request.txt", tmp_path / "answer.txt"
    with Wiretap(Network(host.lab).bridge) as wire:
        owner.ok(*generic(host))
        alice.ok("access", "request", "orion", "-o", request)
        owner.ok("access", "grant", "-y", "--for", "alice", "-o", answer, request)
        alice.ok("access", "accept", "-y", answer)
        host_list = host.output("cat /etc/docker/machinectl/clients.pem").encode()
        assert alice.is_running()
        assert alice.shell("orion", "docker ps -q") == ""
        owner.ok("access", "end", "-y", "alice", "orion")
    sent = {f"{flow[0]}:{flow[1]}": data for flow, data in wire.flows.items()}
    sent |= {path.name: path.read_bytes() for path in (owner.record, alice.record)}
    # Chats carry them compressed.
    sent |= {"request": pem_content(REQUEST, request.read_bytes()), "answer": pem_content(ANSWER, answer.read_bytes())}

    def with_any(*secrets: bytes) -> set[str]:
        forms = [form for secret in secrets for form in spellings(secret)]
        return {name for name, data in sent.items() if any(form in data for form in forms)}

    # What has to be there is found in the same way: the holder's CA on its way to the host, the owner's question to the
    # engine, her public key in the request, her certificate in the answer; and the wire was heard.
    accepted, _, _ = (alice.store / "machines/orion/cert.pem").read_bytes().partition(b"-----END")
    assert "owner.record" in with_any(host_list.splitlines()[-2])
    assert {"owner.record", "alice.record"} <= with_any(b"GET /_ping")
    assert with_any(pem_lines(accepted)[-2]) == {"answer"}
    assert f"{host.ip}:22" in with_any(b"SSH-2.0-OpenSSH")
    assert sent[f"{host.ip}:2376"]
    keys = {file: with_any(*forms_of_key(file.read_bytes())) for file in tmp_path.rglob("*key.pem")}
    # The engine's own key is the one that the owner sends to the host, through SSH.
    assert {str(file.relative_to(tmp_path)): where for file, where in keys.items() if where} == {
        "owner/machines/orion/server-key.pem": {"owner.record"}
    }
    assert alice.store / "machines/orion/key.pem" in keys


def pem_lines(pem: bytes) -> list[bytes]:
    return [line for line in pem.splitlines() if line and not line.startswith(b"-----")]


def forms_of_key(pem: bytes) -> list[bytes]:
    """The secret number of an elliptic key, the key as DER, and the text of its PEM file, by lines and as one."""
    key = load_pem_private_key(pem, None)
    assert isinstance(key, EllipticCurvePrivateKey)
    number = key.private_numbers().private_value.to_bytes(32)
    lines = pem_lines(pem)
    der = base64.b64decode(b"".join(lines))
    assert number in der
    # The third line of the file is of the public key.
    return [number, der, b"".join(lines), *lines[:2]]
