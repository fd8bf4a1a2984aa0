"""Engines that are in use and were set up in ways of their own: they are taken on as they are, or left as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.engine_restart import restart_steps
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.host_run import RealRun, carry_out
from machinectl.provision.decision import EngineDown
from machinectl.provision.scripts import resource
from machinectl.provision.target import NOTHING_SPECIAL, Allowed
from tests.hosts.test_setup_lab import IMAGE, RUN, Bench, changed, files

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host

pytestmark = pytest.mark.timeout(300)

LINKED = """
mkdir -p /srv/docker /srv/units && mv /etc/docker/* /srv/docker/ 2>/dev/null; rmdir /etc/docker
printf '{\\n  "log-driver": "local"\\n}\\n' > /srv/config.json && chown daemon:docker /srv/config.json
chmod 640 /srv/config.json
ln -s /srv/docker /etc/docker && ln -s ../config.json /srv/docker/daemon.json
ln -s /srv/units /etc/systemd/system/docker.service.d && systemctl daemon-reload && systemctl restart docker
"""
LINKS = (
    "readlink /etc/docker /etc/docker/daemon.json /etc/systemd/system/docker.service.d; "
    "stat -c '%a %U %G' /srv/config.json"
)


def test_links_and_the_owner_of_daemon_json_stay_when_a_host_is_taken_on_and_when_it_is_given_back(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(LINKED)
    running = bench.container()
    links, text = bench.host.output(LINKS), bench.host.output("cat /srv/config.json")
    assert links.endswith("640 daemon docker")
    bench.provision()
    assert bench.is_up
    assert '"tlsverify": true' in bench.host.output("cat /srv/config.json")
    assert bench.host.output(LINKS) == links
    assert changed(bench.provision()) == []
    bench.purge()
    assert (bench.host.output(LINKS), bench.host.output("cat /srv/config.json")) == (links, text)
    assert bench.host.output("ls /srv/units /srv/docker | grep -c machinectl; true") == "0"
    assert bench.started() == running


OVERRIDE = (
    "mkdir -p /etc/systemd/system/docker.service.d; printf '[Service]\\n{0}\\n' "
    "> /etc/systemd/system/docker.service.d/override.conf; systemctl daemon-reload; systemctl restart docker; "
)
START = "ExecStart=\\nExecStart=/usr/sbin/dockerd -H {} --containerd=/run/containerd/containerd.sock"


def process(bench: Bench) -> str:
    """The container's process, told without the engine's client: its PID and when it started."""
    return f"awk '{{print $1, $22}}' /proc/{bench.started().split()[0]}/stat"


@pytest.mark.parametrize(
    ("engine", "since"),
    [
        (
            OVERRIDE.format(START.format("unix:///run/docker.sock -H unix:///run/other.sock") + "\\nExecReload="),
            "printf '#!/bin/sh\\nexit 1\\n' >$(command -v docker); rm /run/docker.sock",
        ),
        (
            "echo {} >/etc/docker/x.json; " + OVERRIDE.format(START.format('fd:// "--config-file=/etc/docker/x.json"')),
            (
                "printf 'DOCKER_HOST=tcp://127.0.0.1:9\\nDOCKER_TLS_VERIFY=1\\nDOCKER_CONTEXT=x\\n' "
                ">>/etc/environment; rm $(command -v docker)"
            ),
        ),
    ],
    ids=["another socket and a broken client", "DOCKER_ variables, a quoted --config-file and no client"],
)
def test_containers_keep_running_whatever_the_engines_client_and_unit_are_like(
    fresh_host: FreshHost, store: Store, engine: str, since: str
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(engine)
    bench.container()
    look = process(bench)
    running = bench.host.output(look)
    bench.host.run(since)
    assert changed(bench.provision())[-1] == "Turning live-restore off (as before)"
    assert bench.is_up
    assert bench.host.output(look) == running
    assert changed(bench.provision()) == []


UNIT = """printf '[Unit]\\n{0}\\n[Service]\\nRestart=always\\nExecStart={1}\\n' >/etc/systemd/system/{2}.service
systemctl daemon-reload; systemctl start {2}
"""


def test_units_that_hang_on_the_engine_are_not_restarted_with_it(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    relations = ("Requires", "BindsTo", "PartOf")
    for relation in relations:
        after = f"{relation}=docker.service\\nAfter=docker.service"
        bench.host.run(UNIT.format(after, "/bin/sleep 100000", relation))
    # One whose end asks the engine, which waits for it.
    bench.host.run(
        "printf '[Unit]\\nBindsTo=docker.service\\nAfter=docker.service\\n[Service]\\nType=oneshot\\n"
        "RemainAfterExit=yes\\nExecStart=/bin/true\\nExecStop=/usr/bin/docker stop nobody\\nSuccessExitStatus=1\\n' "
        ">/etc/systemd/system/web.service; systemctl daemon-reload; systemctl start web"
    )
    container = bench.container()
    look = f"systemctl show {' '.join(relations)} -p MainPID -p ActiveState"
    running = bench.host.output(look)
    assert running.count("ActiveState=active") == len(relations)
    bench.provision()
    assert bench.is_up
    assert bench.host.output(look) == running
    with pytest.raises(EngineDown):
        bench.provision(options=["data-root=/proc/nowhere"], force=True)
    assert bench.host.output(f"systemctl is-active {' '.join(relations)}; true") == "active\nactive\nactive"
    assert (bench.started(), bench.is_up) == (container, True)
    bench.host.run("until systemctl is-active -q web; do sleep 0.1; done")
    # Its command for the end did not run into systemd's limit.
    assert "timed out" not in bench.host.output("journalctl --no-pager -u web")
    running = bench.host.output(look)
    bench.provision(options=[])
    assert bench.host.output(look) == running


def test_a_unit_that_is_an_attached_docker_run_is_found_before_and_harmed_only_by_force(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.container()
    run = "/usr/bin/docker run --rm --name web box /usr/bin/busybox sleep 100000"
    bench.host.run(UNIT.format("After=docker.service", run, "web"))
    bench.host.run("until docker inspect web 2>/dev/null | grep -q '\"running\"'; do sleep 0.1; done")
    running = bench.started("web")
    before = files(bench.host)
    with pytest.raises(CheckFailed, match=r"web\.service") as raised:
        bench.provision()
    assert "systemctl stop web.service" in raised.value.hint
    assert (bench.started("web"), files(bench.host)) == (running, before)
    bench.provision(force=True)
    assert bench.is_up
    assert any("ends the docker commands" in line and "web.service" in line for line in bench.log.warnings)
    # The container outlived the command that had started it.
    bench.host.run("systemctl stop web; docker rm -f web; systemctl reset-failed web; systemctl start web")
    bench.host.run("until docker inspect web 2>/dev/null | grep -q '\"running\"'; do sleep 0.1; done")
    running = bench.started("web")
    with pytest.raises(CheckFailed, match=r"web\.service"):
        bench.purge()
    assert bench.started("web") == running
    bench.purge(allowed=Allowed(force=True))
    assert files(bench.host) == before


# systemd refuses a fourth start within a minute.
RESTART = "systemctl reset-failed docker; systemctl restart docker"


def test_an_engine_that_cannot_have_our_configuration_is_left_as_it_is(fresh_host: FreshHost, store: Store) -> None:
    bench = Bench(fresh_host("docker"), store)
    start = "exec /usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
    bench.host.run(
        f"printf '#!/bin/sh\\n{start} \"$@\"\\n' >/usr/local/bin/mydockerd; chmod +x /usr/local/bin/mydockerd"
    )
    bench.host.run(OVERRIDE.format("ExecStart=\\nExecStart=/usr/local/bin/mydockerd"))
    bench.container()
    running, before = bench.started(), files(bench.host)
    with pytest.raises(EngineDown, match="specified both as a flag and in the configuration file: hosts"):
        bench.provision()
    assert (bench.started(), files(bench.host)) == (running, before)
    bench.host.run(f"rm -r /etc/systemd/system/docker.service.d; systemctl daemon-reload; {RESTART}")
    # An edit of the unit that systemd has not read is found, and not overruled.
    where = "/etc/systemd/system/docker.service.d"
    elsewhere = START.format("fd:// --data-root=/srv/docker")
    bench.host.run(f"mkdir -p {where}; printf '[Service]\\n{elsewhere}\\n' >{where}/override.conf")
    running, before = bench.started(), files(bench.host)
    with pytest.raises(CheckFailed, match="not read by systemd") as raised:
        bench.provision()
    assert "systemctl daemon-reload" in raised.value.hint
    bench.host.run("systemctl daemon-reload")
    with pytest.raises(CheckFailed, match="data-root is /var/lib/docker now and /srv/docker afterwards"):
        bench.provision()
    assert (bench.started(), files(bench.host)) == (running, before)
    bench.host.run(f"rm -r /etc/systemd/system/docker.service.d; systemctl daemon-reload; {RESTART}")
    # A container on our port, also where no proxy listens for it.
    bench.host.run(f"echo '{{\"userland-proxy\": false}}' >/etc/docker/daemon.json; {RESTART}")
    bench.host.run("docker run -d -p 2376:80 box /usr/bin/busybox sleep 100000")
    running, before = bench.started(), files(bench.host)
    with pytest.raises(CheckFailed, match="Port 2376 on the host is taken by another program"):
        bench.provision()
    assert (bench.started(), files(bench.host)) == (running, before)


def test_a_unit_that_ends_containers_with_the_engine_is_refused_until_it_does_not(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    # Without --containerd, and with the system's stopped, dockerd starts its own.
    bench.host.run("systemctl disable -q --now containerd; systemctl mask -q containerd")
    own = "ExecStart=\\nExecStart=/usr/sbin/dockerd -H fd://\\nKillMode="
    bench.host.run(OVERRIDE.format(f"{own}mixed"))
    running = bench.container()
    before = files(bench.host)
    with pytest.raises(CheckFailed, match="KillMode=mixed"):
        bench.provision()
    assert (bench.started(), files(bench.host)) == (running, before)
    bench.host.run(f"printf '[Service]\\n{own}process\\n' >/etc/systemd/system/docker.service.d/override.conf")
    bench.host.run("systemctl daemon-reload")
    bench.provision()
    assert bench.is_up
    assert bench.started() == running


def state(host: Host) -> dict[str, Any]:
    """What is below /etc, and the processes of each unit."""
    return {name: what for name, what in host.snapshot().items() if name.startswith(("/etc", "unit "))}


SLOW = (
    "printf '[Unit]\\nBefore=docker.service\\n[Service]\\nType=oneshot\\nExecStart=/bin/sleep 100000\\n' "
    ">/etc/systemd/system/slow.service; systemctl daemon-reload; systemctl start --no-block slow"
)
WATCHER = (
    "printf '[Path]\\nPathModified=/etc/docker/daemon.json\\n' >/etc/systemd/system/watch.path; "
    "printf '[Service]\\nType=oneshot\\nExecStart=/bin/systemctl restart docker\\n' "
    ">/etc/systemd/system/watch.service; "
    "systemctl daemon-reload; systemctl start watch.path"
)
# What an owner has added to a host, and what a refusal says of it.
ODD = {
    "ExecStop=/usr/bin/docker stop c1": OVERRIDE.format("ExecStop=/usr/bin/docker stop c1"),
    "ExecStopPost=/usr/bin/pkill containerd-shim": OVERRIDE.format("ExecStopPost=/usr/bin/pkill containerd-shim"),
    "ExecStartPre=/bin/cp /srv/template /etc/docker/daemon.json": "echo {} >/srv/template; mkdir -p /etc/docker; "
    + OVERRIDE.format("ExecStartPre=/bin/cp /srv/template /etc/docker/daemon.json"),
    "systemd refuses to restart the engine": OVERRIDE.format("[Unit]\\nRefuseManualStop=yes"),
    "watch.path starts watch.service when our files change": WATCHER,
    # Unmasking it leaves a docker.socket without a socket.
    "docker.socket on the host is masked": "systemctl mask docker.socket",
}
ORDINARY = (
    "rm -rf /etc/systemd/system/docker.service.d/override.conf; systemctl stop watch.path || :; "
    "systemctl unmask -q docker.socket; systemctl daemon-reload"
)


def odd(host: Host, addition: str) -> None:
    # Forbidden to systemctl, the engine is restarted for the test by its own end.
    host.run(addition.replace("systemctl restart docker; ", ""))


def test_what_a_restart_of_the_engine_does_besides_is_refused_before_anything_changes(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    running = bench.container()
    for cause, addition in ODD.items():
        odd(bench.host, addition)
        before = state(bench.host)
        for dry_run in (True, False):
            with pytest.raises(CheckFailed, match=re.escape(cause)) as raised:
                bench.provision(dry_run=dry_run)
        assert (bench.started(), state(bench.host)) == (running, before), cause
        assert "on the host" in raised.value.hint.lower()
        bench.host.run(ORDINARY)
    bench.provision()
    assert bench.is_up
    assert changed(bench.provision()) == []
    odd(bench.host, ODD["ExecStopPost=/usr/bin/pkill containerd-shim"])
    before = state(bench.host)

    def renew() -> None:
        # As renewals, upgrades and changes of trust begin.
        with store.writing("orion") as held, bench.root() as root:
            steps = restart_steps(target_of(held.machine), NOTHING_SPECIAL, lambda _: None)
            carry_out(RealRun(held, bench.log, root), steps)

    for work in (bench.purge, renew, lambda: bench.provision(labels={"a": "b"})):
        with pytest.raises(CheckFailed, match="ExecStopPost=/usr/bin/pkill containerd-shim"):
            work()
    assert (bench.started(), state(bench.host)) == (running, before)
    bench.host.run(ORDINARY)
    bench.purge()
    assert bench.started() == running


def test_neither_a_job_that_hangs_nor_a_reload_that_does_nothing_holds_up_an_engine_that_is_set_up_by_force(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(OVERRIDE.format("ExecReload=\\nExecReload=/bin/true\\nExecStartPost=/bin/sleep 3"))
    # As after a boot: the engine's own job ends by itself.
    bench.host.run("systemctl restart --no-block docker")
    bench.provision(dry_run=True)
    running = bench.container()
    bench.host.run(SLOW)
    bench.provision(force=True)
    assert bench.is_up
    bench.purge(allowed=Allowed(force=True))
    assert bench.started() == running
    limited = f"cd $(mktemp -d); systemctl_seconds=1\n{resource('systemctl.sh')}\n"
    said = bench.host.output(f"{limited}systemctl start slow.service || echo $?; ls -A")
    assert re.fullmatch(
        r"systemctl start slow.service has not ended in time; systemd's jobs: \d+ slow.service start running \n124",
        said,
    )


@pytest.mark.long
def test_what_a_unit_does_to_the_engine_by_force_is_said_and_its_socket_answers_again(
    fresh_host: FreshHost, store: Store
) -> None:
    bench = Bench(fresh_host("docker"), store)
    bench.host.run(f"{IMAGE}; {RUN.format('loop').removesuffix('sleep 100000')} sleep 1")
    running = bench.container()
    bench.host.run("until docker inspect -f '{{.RestartCount}}' loop | grep -q '^[1-9]'; do sleep 0.1; done")
    odd(bench.host, ODD["ExecStartPre=/bin/cp /srv/template /etc/docker/daemon.json"])
    bench.host.run(
        "echo '{\"live-restore\": true}' | tee /srv/template >/etc/docker/daemon.json; kill -HUP $(pidof dockerd)"
    )
    before = state(bench.host)
    # The engine comes up without its `hosts`, and takes the file of docker.socket away.
    with pytest.raises(EngineDown, match=r"it runs again:(.|\n)*the engine did not answer on /run/docker.sock"):
        bench.provision(force=True)
    assert (
        bench.host.output("docker version -f '{{.Server.Os}}'; systemctl is-active docker docker.socket")
        == "linux\nactive\nactive"
    )
    after = state(bench.host)
    assert {name: after.get(name) for name in before if name.startswith("/etc")} == {
        name: what for name, what in before.items() if name.startswith("/etc")
    }
    assert bench.started() == running
    bench.host.run("rm /etc/systemd/system/docker.service.d/override.conf; systemctl daemon-reload")
    # Nobody blames us for the other one, nor for those that have done their work meanwhile, in the restart or not.
    work = "docker run -d box /usr/bin/busybox sleep {0}; docker run -d --rm box /usr/bin/busybox sleep {0};"
    bench.host.run("".join(work.format(seconds) for seconds in range(1, 6)))
    bench.provision()
    odd(bench.host, ODD["ExecStop=/usr/bin/docker stop c1"])
    with pytest.raises(MachineError, match=r"containers did not keep running on the host: c1 \(\w+\)"):
        bench.provision(labels={"a": "b"}, force=True)
    with pytest.raises(MachineError, match=r"c1 \(\w+\)"):
        bench.purge(allowed=Allowed(force=True))
    # The engine itself is as it was, and the next run has nothing left to do.
    assert bench.purge() == []
