"""dockerd's command line in docker.service: found as systemd finds it, and changed without losing a word."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import DROP_INS

DEBIAN = """# /usr/lib/systemd/system/docker.service
[Unit]
Description=Docker
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
"""
OVERRIDE = """
# /etc/systemd/system/docker.service.d/override.conf
[Service]
ExecStart=
# ExecStart=/not/this/dockerd
ExecStart=/usr/bin/dockerd -H fd:// \\
    --label "a=b c" \\
    -H tcp://0.0.0.0:2375
"""
OURS = """
# /etc/systemd/system/docker.service.d/zz-machinectl.conf
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd --ours
"""


TAKEN = {"host", "tlsverify", "tlscacert"}


def rewritten(cat: str, environment: str = "") -> str:
    words = docker_unit.command_line(cat)
    variables = docker_unit.unit_variables(cat, {"/etc/default/docker": environment})
    return " ".join(docker_unit.without_flags(docker_unit.with_variables_expanded(words, variables, TAKEN), TAKEN))


REST = "--containerd=/run/containerd/containerd.sock"
DOCKERD = "/usr/sbin/dockerd"


@pytest.mark.parametrize(
    ("cat", "environment", "left"),
    [
        (DEBIAN + OVERRIDE, "", '/usr/bin/dockerd --label "a=b c"'),
        # Our own drop-in is not what it is made from.
        (DEBIAN + OURS, "", f"{DOCKERD} {REST} $DOCKER_OPTS"),
        *(
            (DEBIAN.replace("-H fd://", flag), "", f"{DOCKERD} {REST} $DOCKER_OPTS")
            for flag in ("-H fd://", "-H=fd://", "-Hfd://", "--host fd://", '--host "fd://"', "--tlsverify")
        ),
        # A variable is written out only if it holds hosts.
        (DEBIAN, 'DOCKER_OPTS="-H tcp://0.0.0.0:2375 --mtu=1400"\n', f"{DOCKERD} {REST} --mtu=1400"),
        (DEBIAN, "DOCKER_OPTS=--mtu=1400\n", f"{DOCKERD} {REST} $DOCKER_OPTS"),
        (DEBIAN.replace("EnvironmentFile", "Environment=DOCKER_OPTS=-H=tcp://:1\n#"), "", f"{DOCKERD} {REST}"),
        (DEBIAN.replace(DOCKERD, "/bin/env A=b /opt/dockerd"), "", f"/bin/env A=b /opt/dockerd {REST} $DOCKER_OPTS"),
    ],
)
def test_the_hosts_go_and_everything_else_stays_where_it_was(cat: str, environment: str, left: str) -> None:
    assert rewritten(cat, environment) == left


def test_flags_are_known_by_their_long_names() -> None:
    flags = docker_unit.parse_flags(
        ["-D", "-l", "info", "--label", '"a b"', "--mtu=1400", "-g/data", "--bip", "10.0.0.1/8", "$X"]
    )
    assert [(flag.name, flag.value) for flag in flags] == [
        ("debug", "true"),
        ("log-level", "info"),
        ("label", "a b"),
        ("mtu", "1400"),
        ("data-root", "/data"),
        ("bip", "10.0.0.1/8"),
    ]


@pytest.mark.parametrize(
    "start", ["ExecStart=/usr/bin/podman system service", "", "ExecStart=/a/dockerd\nExecStart=/b/dockerd"]
)
def test_a_unit_that_does_not_start_one_dockerd_is_refused(start: str) -> None:
    cat = DEBIAN.replace(DEBIAN.split("\n")[5], start)
    with pytest.raises(MachineError, match=r"docker\.service"):
        docker_unit.command_line(cat)


words = st.one_of(
    st.sampled_from(
        ["--debug", "--label", "a=b", '"x y"', "'-H'", "$OPTS", "${X}", "%H", "$$", "--mtu=1", "-D", r"a\ b"]
    ),
    st.from_regex(r"--[a-z]{3,8}(=[a-z0-9/:.]{1,9})?", fullmatch=True),
)
hosts = st.lists(
    st.sampled_from([["-H", "fd://"], ["--host=tcp://:1"], ["-Hunix:///a"], ["--host", "fd://"]]), max_size=3
)


@given(st.lists(words.filter(lambda word: not word.startswith("--tls") and word != "'-H'"), max_size=6), hosts)
@settings(max_examples=30)
def test_whatever_stands_beside_the_hosts_stays_as_it_was_written(
    others: list[str], given_hosts: list[list[str]]
) -> None:
    # A value-taking flag at the end would take -H for its value, as dockerd does.
    line = [*itertools.chain.from_iterable(given_hosts), *others]
    kept = docker_unit.without_flags(["/usr/bin/dockerd", *line], {"host"})
    assert kept == ["/usr/bin/dockerd", *others]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20))
@settings(max_examples=30)
def test_a_word_that_we_quote_is_read_back_as_itself(text: str) -> None:
    quoted = docker_unit.quote_for_systemd(f"x{text}")
    assert [docker_unit.unquote(word) for word in docker_unit.WORD.findall(quoted)] == [f"x{text}"]


def test_our_drop_in_is_read_after_everybody_elses() -> None:
    for other in ("override.conf", "99-x.conf", "zz.conf", "zz-machinectl2.conf", "zzz-a.conf"):
        ours = docker_unit.drop_in_path((f"/run/systemd/system/docker.service.d/{other}",)).rpartition("/")[2]
        assert max(ours, other) == ours
        assert docker_unit.is_our_drop_in(f"{DROP_INS}/{ours}")


def test_secrets_of_the_environment_are_in_a_file_of_their_own_and_not_in_the_drop_in() -> None:
    text = docker_unit.drop_in(None, environment=True)
    assert text == (docker_unit.HEADER + "[Service]\nEnvironmentFile=/etc/docker/machinectl/environment\n").encode()
    assert docker_unit.environment_file({"A": 'b "c" $d \\e `f`'}) == b'A="b \\"c\\" \\$d \\\\e \\`f\\`"\n'


@pytest.mark.parametrize(
    "script", ["sleep 5; exec dockerd -H fd://", "dockerd -H fd:// | logger", "dockerd & wait", "echo $(dockerd)"]
)
def test_a_shell_that_does_more_than_that_is_refused(script: str) -> None:
    with pytest.raises(MachineError, match="does not start dockerd but"):
        docker_unit.command_line(f"# /etc/x\n[Service]\nExecStart=/bin/sh -c '{script}'\n")


# Amazon Linux's package has two commands.
AMAZON = """# /usr/lib/systemd/system/docker.service
[Unit]
StartLimitAction=none
[Service]
ExecStartPre=/bin/mkdir -p /run/docker
ExecStartPre=/usr/libexec/docker/docker-setup-runtimes.sh
ExecStart=/usr/bin/dockerd -H fd://
ExecReload=/bin/kill -s HUP $MAINPID
"""
ADDED = "\n# /etc/systemd/system/docker.service.d/x.conf\n"


@pytest.mark.parametrize(
    ("added", "commands"),
    [
        ("", []),
        (OURS, []),
        (f"{ADDED}[Service]\nExecStartPre=\n", []),
        (f"{ADDED}[Service]\nExecStop=docker stop a\nExecStop=\nExecReload=/bin/true\nTimeoutStopSec=9", []),
        (f"{ADDED}[Service]\nExecStartPre=-/bin/cp a b\n", ["ExecStartPre=-/bin/cp a b"]),
        (f"{ADDED}[Service]\nExecStop= docker \\\n  stop a\n", ["ExecStop=docker    stop a"]),
        ("[Service]\nExecStopPost=pkill containerd-shim\n", ["ExecStopPost=pkill containerd-shim"]),
        (f"{ADDED}[Unit]\nStartLimitAction=reboot\n", ["StartLimitAction=reboot"]),
        (f"{ADDED}[Service]\nExecStartPre=-/sbin/modprobe overlay\nExecStopPost=/bin/mkdir -p /srv/a\n", []),
        (f"{ADDED}[Service]\nExecStartPost=-/sbin/iptables -P FORWARD ACCEPT\n", []),
        (f"{ADDED}[Service]\nExecStartPre=iptables -t nat -F\n", ["ExecStartPre=iptables -t nat -F"]),
        (f"{ADDED}[Service]\nExecStartPre=/opt/true/run\n", ["ExecStartPre=/opt/true/run"]),
    ],
)
def test_commands_that_no_package_has_put_into_the_unit_are_its_owners(added: str, commands: list[str]) -> None:
    found = docker_unit.owners_commands(AMAZON + added)
    assert [f"{setting.key}={setting.value}" for setting in found] == commands
    assert docker_unit.owners_commands(DEBIAN + OVERRIDE) == docker_unit.refusals(AMAZON + added) == []
