"""A restart that would hide containers is refused, whoever wrote the setting; one that would not goes on."""

from __future__ import annotations

from typing import Any

import pytest

from machinectl.errors import CheckFailed
from machinectl.provision.steps import engine_config
from machinectl.provision.target import Allowed
from tests.provision.test_steps import configured, host, target, with_config, with_unit

USERNS = ["name=seccomp,profile=builtin", "name=userns"]
CONTAINERDS = [["driver-type", "io.containerd.snapshotter.v1"]]


def now(**different: Any) -> dict[str, Any]:
    """What an engine with a stopped container says of itself."""
    said = {"DockerRootDir": "/var/lib/docker", "Driver": "overlay2", "SecurityOptions": [], "Containers": 1}
    return {"LiveRestoreEnabled": True, "Swarm": "inactive", **said, **different}


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (with_config("docker", {"data-root": "/data"}, info=now()), "1 container: data-root is /var/lib/docker now"),
        (with_config("docker", {"graph": "/data"}, info=now()), "/data afterwards"),
        (host("docker", info=now(DockerRootDir="/data")), "data-root is /data now and /var/lib/docker after"),
        (with_config("docker", {"storage-driver": "btrfs"}, info=now()), "storage-driver is overlay2 now"),
        (with_config("docker", {"userns-remap": "default"}, info=now()), "userns-remap is off now"),
        (
            host("docker", info=now(SecurityOptions=USERNS, DockerRootDir="/var/lib/docker/100000.100000")),
            "userns-remap is on now",
        ),
        (
            with_config("docker", {"features": {"containerd-snapshotter": True}}, info=now()),
            "containerd-snapshotter is false now",
        ),
        (
            with_config("docker", {"features": {"containerd-snapshotter": False}}, info=now(DriverStatus=CONTAINERDS)),
            "containerd-snapshotter is true now",
        ),
        (with_unit("/usr/sbin/dockerd -H fd:// --data-root /data", info=now()), "data-root"),
        (with_unit("/usr/sbin/dockerd -H fd:// -g /data", info=now()), "data-root"),
        (with_unit("/usr/sbin/dockerd -H fd:// -s btrfs", info=now()), "storage-driver"),
    ],
)
def test_a_setting_that_is_pending_on_the_host_is_not_put_into_effect(facts: Any, cause: str) -> None:
    with pytest.raises(CheckFailed, match=cause) as raised:
        engine_config.configure(facts, target())
    assert "--force" in raised.value.hint
    assert any("containers are hidden" in line for line in configured(facts, allowed=Allowed(force=True)).details)


@pytest.mark.parametrize("asked", [{"storage_driver": "btrfs"}, {"options": ("data-root=/data",)}])
@pytest.mark.parametrize("info", [now(), {}], ids=["asked", "silent"])
def test_what_is_asked_of_us_is_refused_too_also_where_the_engine_cannot_be_asked(asked: Any, info: Any) -> None:
    facts = host("docker-with-a-container", info=info)
    with pytest.raises(CheckFailed, match="would hide its 1 container"):
        engine_config.configure(facts, target(**asked))


@pytest.mark.parametrize(
    "facts",
    [
        with_config("docker", {"data-root": "/data"}, info=now(Containers=0)),
        with_config("docker", {"data-root": "/data/"}, info=now(DockerRootDir="/data")),
        with_config(
            "docker", {"data-root": "/data"}, info=now(DockerRootDir="/big/data"), links={"/data": "/big/data"}
        ),
        host("docker", info=now(DockerRootDir="/big"), links={"/var/lib/docker": "/big"}),
        with_config("docker", {"storage-driver": "overlay2"}, info=now()),
        with_config(
            "docker",
            {"userns-remap": "default"},
            info=now(SecurityOptions=USERNS, DockerRootDir="/var/lib/docker/100000.100000"),
        ),
        with_config(
            "docker",
            {"storage-driver": "overlay2", "features": {"containerd-snapshotter": True}},
            info=now(Driver="overlayfs", DriverStatus=CONTAINERDS),
        ),
        host("docker", info=now(Driver="overlayfs", DriverStatus=CONTAINERDS)),
        host("docker-with-a-container"),
        host("docker-with-a-container", info=now(DockerRootDir="", Driver="", Containers=0)),
        host("docker-with-a-container", info={}),
    ],
)
def test_an_engine_that_has_what_it_will_have_is_restarted(facts: Any) -> None:
    assert not [line for line in configured(facts).details if "hidden" in line]
