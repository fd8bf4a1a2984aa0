"""The hosts' root file systems: an image for each suite and a layer for each variant on it, built once and cached.

An image's name carries a hash of what it was made from: a changed recipe is a new image.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.command import LabError, sh
from tests.lab.place import IMAGES, KEY, ROOT, locked
from tests.lab.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PASSWORD = "labpass"
# Without iproute2, which brings libbpf: with it, systemd tries at each boot what BPF programs the kernel takes.
_PACKAGES = "systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,procps,ca-certificates,busybox-static"
# In less than half of debootstrap's CPU time. apt's lists stay: base.sh installs from them.
_BOOTSTRAP = (
    *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={_PACKAGES}"),
    *("--skip=cleanup/apt/lists", "--aptopt=Acquire::Languages none"),
    *("--aptopt=Acquire::Check-Date false", "--aptopt=Acquire::Check-Valid-Until false"),
)
_BASE = (Path(__file__).parent / "base.sh").read_text()
# No service may start while packages are installed in a chroot: it would start on this machine.
_QUIET = r"""
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
"""


def archives() -> tuple[str, str]:
    """URLs of the Debian archive and of its security archive, as this machine's apt sources name them.

    Raises `LabError` on a machine that is not a Debian.
    """
    if platform.freedesktop_os_release()["ID"] != "debian":
        raise LabError("needs a Debian machine: its apt sources name the archive that the hosts are made from")
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    lines = [line for file in files if file.is_file() for line in file.read_text().splitlines()]
    urls = [
        url.rstrip("/")
        for line in lines
        if not line.lstrip().startswith("#")
        for url in re.findall(r"\bhttps?://\S+", line)
    ]
    security = [url for url in urls if "security" in url]
    archive = [url for url in urls if "security" not in url]
    if not archive:
        raise LabError("no http archive in this machine's apt sources")
    return archive[0], (security or archive)[0]


def public_key() -> str:
    """The public half of the key that logs in on every host."""
    if not KEY.exists():
        with locked("image"):
            if not KEY.exists():
                new = ROOT / ".id_lab.new"
                new.unlink(missing_ok=True)
                sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", new)
                Path(f"{new}.pub").rename(f"{KEY}.pub")
                new.rename(KEY)
    return Path(f"{KEY}.pub").read_text().strip()


def lower(suite: str, variants: Sequence[str]) -> str:
    """The overlay's `lowerdir=` for a suite with variants; each variant is one layer on those before it."""
    archive, security = archives()
    sources = (f"{archive} {suite}", f"{archive} {suite}-updates", f"{security} {suite}-security")
    environment = {"PASSWORD": PASSWORD, "PUBLIC_KEY": public_key()}
    name = f"{suite}-{_digest(_BASE, *_BOOTSTRAP, *sources, *environment.values())}"

    def bootstrap(new: Path) -> None:
        _alone(*_BOOTSTRAP, suite, new, *(f"deb {source} main" for source in sources))
        shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf")
        _chroot(new, _BASE, environment)

    layers = str(_cached(name, bootstrap))
    for variant in _with_those_below(variants):
        script = VARIANTS[variant].script
        name += f"+{variant}-{_digest(script)}"
        layers = f"{_cached(name, _layer(layers, script))}:{layers}"
    return layers


def _with_those_below(variants: Sequence[str]) -> list[str]:
    every = [name for variant in variants for name in (*VARIANTS[variant].on, variant)]
    return list(dict.fromkeys(every))


def _layer(below: str, script: str) -> Callable[[Path], None]:
    def build(new: Path) -> None:
        work, root = new.with_suffix(".work"), new.with_suffix(".root")
        for directory in (new, work, root):
            directory.mkdir()
        lower = below.replace(f"{IMAGES}/", "")
        overlay = f"cd {IMAGES}; mount -t overlay overlay -o lowerdir={lower},upperdir={new},workdir={work} {root}\n"
        _chroot(root, script, {"APT_CONFIG": "/var/cache/lab/apt.conf"}, overlay)
        shutil.rmtree(work)
        root.rmdir()

    return build


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def _cached(name: str, build: Callable[[Path], None]) -> Path:
    image = IMAGES / name
    if not image.exists():
        # Images are built at once, each by one process.
        with locked(f"image-{name}"):
            if not image.exists():
                IMAGES.mkdir(exist_ok=True)
                for stale in IMAGES.glob(f".build-{name}.*"):  # of a build that was killed: the lock is ours
                    shutil.rmtree(stale)
                new = IMAGES / f".build-{name}.image"
                build(new)
                new.rename(image)
    return image


def _alone(*command: object) -> None:
    """Run a command in a mount and PID namespace that does not outlive this process."""
    sh(
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *command,
    )


def _chroot(root: Path, script: str, environment: dict[str, str], before: str = "") -> None:
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"} | environment
    # In a chroot, needrestart would look through this machine's processes: a quarter of an installation's CPU time.
    variables |= {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    mounts = f"{before}mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev\n"
    enter = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), "chroot", str(root)]
    _alone("bash", "-ec", f'{mounts}exec "$@"', "-", *enter, "bash", "-ec", _QUIET + script)
