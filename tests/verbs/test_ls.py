"""`ls`, of hosts that somebody else has set up since."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.machines.record import Machine
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


def test_another_engine_at_the_address_is_listed_with_how_to_find_out_whose_it_is(store: Store, tmp_path: Path) -> None:
    theirs, ours = certs.new_ca("theirs"), certs.new_ca("ours")
    server, client = certs.issue_server(theirs, ["127.0.0.1"]), certs.issue_client(ours, "client")
    (tmp_path / "server.pem").write_bytes(server.certificate + server.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    files = {"ca.pem": ours.certificate, "cert.pem": client.certificate, "key.pem": client.key}
    with servers.serving(servers.engine, tls) as port:
        url = f"tcp://127.0.0.1:{port}"
        for driver, state in (("generic", {"IPAddress": "127.0.0.1", "EnginePort": port}), ("none", {"URL": url})):
            machine = Machine(driver, driver, url=url, tls=True)
            machine.driver_state = json.dumps(state)
            added(store, machine, files)
        rows = json.loads(machinectl("ls", "--json", store=store.root).stdout)
        said = json.loads(machinectl("status", "generic", "--json", store=store.root).stdout)["Hint"]
    generic, none = (row["Error"] for row in rows)
    assert "from another CA" in generic
    assert generic.endswith(". See whose it is: machinectl doctor generic")
    assert "from another CA" in none
    assert "provision" not in none
    assert said == "See whose it is: machinectl doctor generic"


def test_a_command_that_is_listed_names_the_store_as_typed(store: Store) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376", driver_state='{"URL": "tcp://192.0.2.1:2376"}')
    machine.pending = "provision"
    added(store, machine)
    arguments = ("ls", "-t", "0")
    assert f": machinectl -s {store.root} provision orion" in machinectl("-s", store.root, *arguments).stdout
    assert ": machinectl provision orion" in machinectl(*arguments, store=store.root).stdout


def test_with_no_seconds_no_host_is_asked_and_what_is_on_record_is_listed(store: Store) -> None:
    asked: list[servers.Connection] = []

    def count(connection: servers.Connection) -> None:
        asked.append(connection)
        servers.engine(connection)

    with servers.serving(count) as port:
        url = f"tcp://127.0.0.1:{port}"
        added(store, Machine("web1", "none", url=url, driver_state=json.dumps({"URL": url})))
        [row] = json.loads(machinectl("ls", "-t", "0", "--json", store=store.root).stdout)
        status = machinectl("status", "-t", "0", "web1", store=store.root)
        version = machinectl("version", "-t", "0", "web1", store=store.root)
        containers = machinectl("ps", "-t", "0", "web1", store=store.root)
        named = machinectl("ls", "-t", "0", "-q", "--filter", "state=unknown", store=store.root)
        assert not asked
        assert machinectl("status", "web1", store=store.root).stdout == "Running\n"
    assert asked
    assert (row["State"], row["URL"], row["DockerVersion"], row["Error"]) == ("Unknown", url, "Unknown", "")
    assert (status.stdout, status.stderr) == ("Unknown\n", "")
    assert containers.stderr == 'Error: "web1" was not asked: --timeout is 0\n  machinectl status web1\n'
    assert (version.returncode, named.stdout) == (1, "web1\n")
    assert version.stderr == 'Error: The engine of "web1" was not asked: --timeout is 0\n  machinectl version web1\n'


def test_names_and_globs_list_those_machines_and_an_unknown_name_is_a_note(store: Store) -> None:
    for name in ("web1", "web2", "db"):
        added(store, Machine(name, "none", url="tcp://127.0.0.1:1", driver_state="{}"))
    for words, listed, note in (
        (["web1"], "web1\n", ""),
        (["web*"], "web1\nweb2\n", ""),
        (["db", "web[1:2]"], "db\nweb1\nweb2\n", ""),
        (["ghost", "db"], "db\n", 'Docker machine "ghost" does not exist\n  List the machines: machinectl ls\n'),
        (["ghost"], "", 'Docker machine "ghost" does not exist\n  List the machines: machinectl ls\n'),
    ):
        done = machinectl("ls", *words, "-t", "0", "-f", "{{.Name}}", store=store.root)
        assert (done.returncode, done.stdout, done.stderr) == (0, listed, note)


def test_table_alone_is_the_usual_table_as_dockers_is(store: Store) -> None:
    added(store, Machine("orion", "none", url="tcp://192.0.2.1:2376"))
    usual = machinectl("ls", "-t", "0", store=store.root)
    assert usual.stdout.startswith("NAME ")
    for asked in ("table", "table "):
        assert machinectl("ls", "-t", "0", "--format", asked, store=store.root).stdout == usual.stdout


def test_templates_read_the_fields_of_docker_machines_structs(store: Store) -> None:
    added(store, Machine("orion", "none", url="tcp://192.0.2.1:2376", tls=True))
    # libmachine/engine/engine.go, libmachine/swarm/swarm.go.
    engine = "ArbitraryFlags DNS GraphDir Env Ipv6 InsecureRegistry Labels LogLevel SelinuxEnabled TLSVerify"
    swarm = "IsSwarm Address Discovery Agent Master Host Image Strategy Heartbeat Overcommit ArbitraryFlags Env"
    for struct, fields, printed in (
        ("EngineOptions", f"{engine} RegistryMirror", "[] []  [] false [] []  false true []"),
        ("SwarmOptions", swarm, "false   false false tcp://0.0.0.0:3376 swarm:latest spread 0 0 [] []"),
    ):
        template = " ".join(f"{{{{.{struct}.{field}}}}}" for field in fields.split())
        done = machinectl("ls", "-t", "0", "-f", template, store=store.root)
        assert (done.stdout, done.stderr) == (f"{printed}\n", "")
