"""`ps`: what the real docker CLI prints of the same engine, with the machine in front, and who did not answer."""

from __future__ import annotations

import json
import os
import string
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st

from machinectl.cli.tables.docker_lists import (
    CONTAINER_COLUMNS,
    CONTAINER_HEADINGS,
    container_fields,
    ellipsis,
    parse_format,
    rows_text,
)
from machinectl.machines.record import Machine, Phase
from tests.support import servers
from tests.support.hostile_engine import ENDING, IN_JSON
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.servers import Behaviour, Connection

DAY = 86400
DOCKERS = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
CREATED = "--name made --label a=b --network none --expose 80-82 -v /x"
BUSYBOX = Path("/bin/busybox")


class Engine:
    """An engine that has whatever containers it is given, and remembers what it was asked."""

    def __init__(self) -> None:
        self.containers: list[Any] = []
        self.asked: list[str] = []

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            method, path = request.decode().split()[:2]
            self.asked.append(path)
            body = b"OK" if path == "/_ping" else json.dumps(self.containers).encode()
            head, _, body = servers.answer(body).partition(b"\r\n\r\n")
            connection.send(head + b"\r\n\r\n" + (b"" if method == "HEAD" else body))


@pytest.fixture
def engine(store: Store) -> Iterator[tuple[Engine, str]]:
    """What the machine orion is; its URL."""
    engine = Engine()
    with servers.serving(engine) as port:
        url = f"tcp://127.0.0.1:{port}"
        added(store, Machine("orion", "none", url=url))
        yield engine, url


def docker(*arguments: str) -> str:
    need("docker")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    done = subprocess.run(["docker", *arguments], env=plain, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ours(store: Store, *arguments: str) -> str:
    done = machinectl("ps", *arguments, store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def without_machine(table: str) -> str:
    width = len("MACHINE") + 3
    return "".join(line[width:] + "\n" for line in table.splitlines())


IDS = st.text("0123456789abcdef", min_size=64, max_size=64)
NAMES = st.sampled_from(["/web", "/web/alias", "/db", "/a-very-long-name_of.a-container", "/x"])
WORDS = st.text(string.printable.strip() + " \t\n\r" + "äé…漢字\u0301\U0001f433", max_size=40)
PLACES = st.text("abc/ ä漢…,", max_size=25)
IMAGES = st.one_of(
    st.sampled_from(
        [
            "",
            "nginx",
            "nginx:1.27",
            "docker.io/library/nginx:latest",
            "docker.io/grafana/grafana",
            "index.docker.io/library/redis:7",
            "localhost:5000/a/b:1@sha256:" + "ab" * 32,
            "registry.example.com/team/app@sha256:" + "0" * 64,
            "sha256:" + "c" * 64,
            "Upper/Case:1",
            "library/busybox",
        ]
    ),
    IDS,
    IDS.map(lambda identity: identity[:12]),
)
PORTS = st.fixed_dictionaries(
    {
        "PrivatePort": st.integers(1, 6) | st.integers(1, 65535),
        "Type": st.sampled_from(["tcp", "udp"]),
    },
    optional={
        "IP": st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "fe80::1"]),
        "PublicPort": st.integers(1, 6) | st.integers(1, 65535),
    },
)
# In the middle of what is said, so that no second that passes changes it.
AGES = st.one_of(
    st.integers(1, 59).map(lambda minutes: minutes * 60 + 30),
    st.integers(1, 47).map(lambda hours: hours * 3600),
    st.integers(2, 3000).map(lambda days: days * DAY + DAY // 3),
)
MOUNTS = st.fixed_dictionaries(
    {"Type": st.sampled_from(["bind", "volume"]), "Source": PLACES},
    optional={"Name": PLACES, "Driver": st.sampled_from(["local", "nfs"])},
)
CONTAINERS = st.fixed_dictionaries(
    {
        "Id": IDS,
        "Names": st.lists(NAMES, min_size=1, max_size=3),
        "Image": IMAGES,
        "ImageID": IDS.map(lambda identity: f"sha256:{identity}"),
        "Command": WORDS,
        "Age": AGES,
        "State": st.sampled_from(["running", "exited", "paused"]),
        "Status": st.sampled_from(["Up 2 hours", "Up About a minute (healthy)", "Exited (137) 3 days ago", ""]),
        "Ports": st.lists(PORTS, max_size=8),
        "Labels": st.dictionaries(st.text("abc.<>&", max_size=5), st.text("xyz<>&,= ", max_size=5), max_size=1),
        "Mounts": st.lists(MOUNTS, max_size=3),
        "NetworkSettings": st.fixed_dictionaries({"Networks": st.dictionaries(st.just("bridge"), st.just({}))}),
    },
    optional={"SizeRw": st.integers(0, 10**16), "SizeRootFs": st.integers(0, 10**16)},
)


KEYS = ["Id", "Names", "Ports", "Mounts", "Created", "Labels", "NetworkSettings", "Networks", "Image", "Command", "IP"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
)


class TestLikeDocker:
    @given(containers=st.lists(CONTAINERS, min_size=5, max_size=25))
    @settings(
        max_examples=10,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        phases=[Phases.explicit, Phases.generate],
    )
    def test_it_prints_of_any_containers_what_docker_prints(
        self, engine: tuple[Engine, str], containers: list[dict[str, Any]]
    ) -> None:
        """No real engine can be made to have all these: the answers are made up, docker's command line is real."""
        there, url = engine
        now = int(time.time())
        there.containers = [
            {**{key: value for key, value in each.items() if key != "Age"}, "Created": now - each["Age"]}
            for each in containers
        ]

        def printed(template: str, *, whole: bool = False) -> str:
            rows = (("orion", container_fields(each, whole=whole)) for each in there.containers)
            return rows_text(parse_format(template, CONTAINER_HEADINGS, CONTAINER_COLUMNS), rows)[0]

        assert without_machine(printed("")) == docker("-H", url, "ps")
        assert printed(f"table {DOCKERS}", whole=True) == docker("-H", url, "ps", "--no-trunc")
        known = [json.loads(line) for line in printed("json").splitlines()]
        theirs = [json.loads(line) for line in docker("-H", url, "ps", "-s", "--format", "json").splitlines()]
        assert [each.pop("Machine") for each in known] == ["orion"] * len(containers)
        assert known == [{key: value for key, value in each.items() if key != "Platform"} for each in theirs]

    @pytest.mark.parametrize(
        "template",
        [
            'table {{.Label "com.example.part-of"}}\t{{lower .Names}}\t{{json .Ports}}\t{{.CreatedAt}}',
            "{{json .Ports}} {{json .Labels}} {{upper .Names}} {{title .Status}}",
            '{{range split .Names ","}}{{.}};{{end}} {{truncate .ID 4}} {{pad .State 2 3}}|',
            "{{if .Ports}}{{.Ports}}{{else}}none{{end}}: {{.Size}}",
            "table {{.Names}}\t{{pad .ID 1 1}}\t{{title .Image}}",
        ],
    )
    def test_a_template_of_dockers_works_as_there(
        self, store: Store, engine: tuple[Engine, str], template: str
    ) -> None:
        there, url = engine
        labels = {"com.example.part-of": "a<b", "x": "y"}
        there.containers = [
            {"Id": "ab" * 32, "Names": ["/Web"], "Status": "Up 2 hours", "State": "running", "SizeRw": 1234},
            {"Id": "cd" * 32, "Names": ["/db"], "Labels": {"x": "y"}, "Ports": [{"PrivatePort": 1, "Type": "udp"}]},
        ]
        there.containers[0]["Labels"] = {"com.example.part-of": labels["com.example.part-of"]}
        assert ours(store, "--format", template) == docker("-H", url, "ps", "--format", template)

    @pytest.mark.parametrize(
        "flags",
        [
            ("-a",),
            ("-n", "3"),
            ("-ln4",),
            ("-as",),
            ("-f", "status=exited", "--filter", "label=a=b", "-f", "STATUS=paused"),
            ("--format", "{{.Size}}"),
        ],
    )
    def test_it_asks_the_engine_what_docker_asks(
        self, store: Store, engine: tuple[Engine, str], flags: tuple[str, ...]
    ) -> None:
        there, url = engine
        ours(store, *flags)
        docker("-H", url, "ps", *flags)
        first, _, second = (path.replace("%20", "+") for path in there.asked[1:])
        assert parts(first) == parts(second.removeprefix("/v1.50").removeprefix("/v1.51"))

    def test_a_real_engines_containers_are_listed_as_docker_lists_them(self, store: Store, dockerd: Dockerd) -> None:
        if not BUSYBOX.exists():
            pytest.skip("there is no busybox")
        files = {file: (dockerd.directory / file).read_bytes() for file in ("ca.pem", "cert.pem", "key.pem")}
        added(store, Machine("real", "none", url=dockerd.url, tls=True), files)
        here = ("-H", f"unix://{dockerd.socket}")
        tar = subprocess.run(["tar", "-C", "/", "-ch", "bin/busybox"], capture_output=True, check=True)
        subprocess.run(["docker", *here, "import", "-", "box:1"], input=tar.stdout, capture_output=True, check=True)
        made = docker(*here, "create", *CREATED.split(), "box:1", "/bin/busybox", "sleep", "100000")
        try:
            for flags in (("-a",), (), ("-a", "--no-trunc"), ("-as",), ("-a", "-f", "label=a=b"), ("-l",)):
                # A second that passes in between is seen in how long ago it was created.
                printed = [*flags, "--format", f"table {DOCKERS.replace('RunningFor', 'CreatedAt')}"]
                assert ours(store, *printed) == docker(*here, "ps", *printed)
            assert ours(store, "-aq") == docker(*here, "ps", "-aq") == made[:12] + "\n"
            [found] = json.loads(ours(store, "-a", "--json"))
            assert (found["Machine"], found["ID"], found["State"]) == ("real", made.strip(), "created")
            done = machinectl("ps", "-f", "bogus=1", store=store.root)
        finally:
            docker(*here, "rm", "-fv", "made")
            docker(*here, "rmi", "box:1")
        assert done.returncode == 1
        assert "invalid filter 'bogus'" in done.stderr


def parts(path: str) -> tuple[str, set[str]]:
    """A path's own and what it asks, however it is encoded."""
    place, _, query = path.partition("?")
    return place, {part.replace("+", "") for part in query.split("&")}


class TestManyMachines:
    def test_each_container_is_listed_with_its_machine_in_natural_order(
        self, store: Store, engine: tuple[Engine, str]
    ) -> None:
        there, url = engine
        there.containers = [{"Id": "ab" * 32, "Names": ["/web"]}, {"Id": "cd" * 32, "Names": ["/db"]}]
        for name in ("m10", "m2"):
            added(store, Machine(name, "none", url=url))
        found = ours(store, "--format", "{{.Machine}} {{.Names}}")
        assert found == "m2 web\nm2 db\nm10 web\nm10 db\norion web\norion db\n"
        assert ours(store, "--format", "{{.Machine}}", "orion", "m2", "m2") == "m2\nm2\norion\norion\n"

    @pytest.mark.parametrize("columns", [40, 80])
    def test_on_a_terminal_it_fits_the_width(self, store: Store, engine: tuple[Engine, str], columns: int) -> None:
        engine[0].containers = [
            {"Id": "ab" * 32, "Names": ["/web"], "Image": "registry.example.org/shop/frontend:2024.11", "Status": "Up"}
        ]
        with at_terminal("ps", store=store.root, columns=columns) as (_, terminal):
            headings, web = everything(terminal).splitlines()
        assert max(len(headings), len(web)) <= columns
        assert web.split()[:2] == ["orion", "ab" * 6]
        assert web.split()[-1] == "web"
        with at_terminal("ps", "--no-trunc", store=store.root, columns=columns) as (_, terminal):
            assert "ab" * 32 in everything(terminal)

    def test_without_a_container_there_are_headings_and_without_a_machine_too(
        self, store: Store, engine: tuple[Engine, str]
    ) -> None:
        heading = "MACHINE   CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n"
        assert ours(store) == heading
        machinectl("rm", "-y", "orion", store=store.root)
        assert ours(store) == heading
        assert ours(store, "--json") == "[]\n"

    def test_those_that_do_not_answer_are_told_below_and_what_was_got_is_printed(
        self, store: Store, engine: tuple[Engine, str]
    ) -> None:
        engine[0].containers = [{"Id": "ab" * 32}]
        with servers.unlistened() as port:
            added(store, Machine("off", "none", url=f"tcp://127.0.0.1:{port}"))
        half = Machine("half", "none", url="tcp://127.0.0.1:1")
        half.phase = Phase.CREATING
        half.failure = {"cause": "no disk"}
        added(store, half)
        for name, file in (("broken", "machine.json"), ("theirs", "config.json")):
            Path(store.root, "machines", name).mkdir()
            Path(store.root, "machines", name, file).write_text("{")
        done = machinectl("ps", "--format", "{{.Machine}} {{.ID}}", store=store.root)
        assert (done.returncode, done.stdout) == (1, "orion abababababab\n")
        said = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
        assert len(said) == 4
        for name, words in (
            ("broken", 'The machine.json of "broken" is not JSON'),
            ("half", '"half": Incomplete: no disk'),
            ("off", '"off": 127.0.0.1:'),
            ("theirs", "docker-machine"),
        ):
            assert any(words in line for line in said), name
        assert json.loads(machinectl("ps", "--json", store=store.root).stdout)[0]["Machine"] == "orion"

    def test_a_name_that_is_none_is_told_and_the_others_are_listed(
        self, store: Store, engine: tuple[Engine, str]
    ) -> None:
        engine[0].containers = [{"Id": "ab" * 32}]
        done = machinectl("ps", "-q", "ghost", "orion", store=store.root)
        assert (done.returncode, done.stdout) == (1, "abababababab\n")
        assert done.stderr.startswith('Docker machine "ghost" does not exist. Use ')

    def test_one_that_says_nothing_does_not_keep_the_others_from_being_listed(
        self, store: Store, engine: tuple[Engine, str]
    ) -> None:
        engine[0].containers = [{"Id": "ab" * 32}]
        with servers.serving(servers.silent) as port:
            added(store, Machine("mute", "none", url=f"tcp://127.0.0.1:{port}"))
            done = machinectl("ps", "-q", "-t", "0.3", store=store.root)
        assert (done.returncode, done.stdout) == (1, "abababababab\n")
        assert '"mute": 127.0.0.1:' in done.stderr

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("-f", "bad"), "'bad' is not KEY=VALUE"),
            (("--format", "{{.Bogus}}"), 'there is no field "Bogus"'),
            (("--format", "{{.ID"), "is not closed"),
            (("--format", "{{lower}}"), "lower takes 1 argument"),
            (("--json", "-q"), "exclude each other"),
            (("-n", "x"), "--last takes a whole number, not 'x'"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(
        self, store: Store, engine: tuple[Engine, str], words: tuple[str, ...], said: str
    ) -> None:
        done = machinectl("ps", *words, store=store.root)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert engine[0].asked == []


class TestStrangeAnswers:
    @given(told=JUNK)
    def test_whatever_stands_for_a_container_has_fields(self, told: Any) -> None:
        for whole in (True, False):
            assert all(isinstance(value, str) for value in container_fields(told, whole=whole).values())

    @pytest.mark.parametrize(
        ("behaviour", "said"),
        [
            (servers.answer(b"{}"), "not what an engine's is"),
            (servers.answer(b"[" * 100_000), "is not JSON"),
            (servers.answer(b'{"message": "' + IN_JSON + b'"}', status="500 No"), "answers 500"),
            (servers.answer(b"[]", status="403 Forbidden"), "answers 403: []"),
            (ENDING["closes"], "without an answer"),
        ],
    )
    def test_an_answer_that_is_none_is_told_in_a_line(self, store: Store, behaviour: Any, said: str) -> None:
        with servers.serving(behaviour if callable(behaviour) else after_ping(behaviour)) as port:
            added(store, Machine("odd", "none", url=f"tcp://127.0.0.1:{port}"))
            done = machinectl("ps", "-q", store=store.root)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert "\x1b" not in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_container_stays_one_line_whatever_it_is_called(self, store: Store, engine: tuple[Engine, str]) -> None:
        engine[0].containers = [{"Id": "ab" * 32, "Names": ["/a\nb\tc"], "Status": "\x1b[2J\r\n", "Image": "x\u2028y"}]
        assert len(ours(store).splitlines()) == 2


def after_ping(said: bytes) -> Behaviour:
    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            connection.send(servers.answer(b"OK") if b" /_ping " in request else said)

    return behaviour


@pytest.mark.parametrize(
    ("line", "cut"), [("abcde", "abc…"), ("ab", "ab"), ("漢字漢", "漢…"), ("漢字", "漢字"), ("äöüß", "äöüß")]
)
def test_a_line_is_cut_by_the_columns_that_it_takes(line: str, cut: str) -> None:
    assert ellipsis(line, 4) == cut


def test_there_are_no_headings_without_an_answer(store: Store) -> None:
    added(store, Machine("off", "none", url="tcp://127.0.0.1:1", tls=False))
    done = machinectl("ps", "off", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert '"off"' in done.stderr
    assert machinectl("ps", "--json", "off", store=store.root).stdout == "[]\n"


def test_an_engine_whose_listener_a_run_that_was_cut_off_has_ended_is_continued(store: Store) -> None:
    machine = Machine("orion", "none", url="tcp://127.0.0.1:1")
    machine.pending = "provision"
    with servers.unlistened() as port:
        machine.url = f"tcp://127.0.0.1:{port}"
        added(store, machine)
        for verb in ("ls", "ps"):
            done = machinectl(verb, store=store.root)
            assert "not all changes reached its host" in done.stdout + done.stderr
            assert "systemctl start docker" not in done.stdout + done.stderr
