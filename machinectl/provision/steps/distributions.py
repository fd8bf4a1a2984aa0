"""Package manager commands of Linux distributions, to run as root."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, ClassVar

from machinectl.errors import CheckFailed, Hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Distribution:
    """A family. In its commands, PACKAGE stands for the package, quoted."""

    ids: ClassVar[frozenset[str]]
    # Its own Docker Engine package, or "".
    package: ClassVar[str] = "docker"
    # get.docker.com supports it (`case "$lsb_dist"`).
    docker_script: ClassVar[bool] = False
    # Files to lock, and files that lock by existing.
    locks: ClassVar[tuple[str, ...]] = ()
    lock_files: ClassVar[tuple[str, ...]] = ()
    refresh: ClassVar[str] = ""
    # How a package with a version is named; a version is a prefix.
    pinned: ClassVar[str] = "{}"
    installing: ClassVar[str]
    # Keeps dependencies and configuration.
    removing: ClassVar[str]
    # Removes dependencies, too.
    removing_all: ClassVar[str] = ""
    # Upgrades the package and little else.
    upgrading: ClassVar[str]
    # Prints the version that upgrading installs.
    newest: ClassVar[str]

    def install(self, package: str, version: str = "") -> str:
        return self._command(self.installing, package, version)

    def remove(self, package: str) -> str:
        return self._command(self.removing, package)

    def remove_all(self, package: str, along: Sequence[str]) -> str:  # noqa: ARG002 (most track dependencies)
        """Remove a package, and unneeded ones of `along`."""
        return self._command(self.removing_all, package)

    def upgrade(self, package: str) -> str:
        return self._command(self.upgrading, package)

    def candidate(self, package: str) -> str:
        return self._command(self.newest, package)

    def start(self) -> str:
        """Start the engine now and at boot. Checks first: enabling again takes 0.4 s."""
        done = "systemctl -q is-enabled docker.service && systemctl -q is-active docker.service"
        return f"{{ {done}; }} || systemctl enable --now docker.service"

    def _command(self, command: str, package: str, version: str = "") -> str:
        name = self.pinned.format(package, version.rstrip("*")) if version else package
        return command.replace("PACKAGE", shlex.quote(name) if name else "")


class Apt(Distribution):
    ids = frozenset({"debian", "ubuntu", "raspbian", "linuxmint"})
    package = "docker.io"
    docker_script = True
    locks = (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    )
    # apt waits for a lock taken after our check (apt.conf(5), since 1.9.11).
    apt: ClassVar[str] = "apt-get -q -y -o DPkg::Lock::Timeout=300"
    refresh = f"{apt} update"
    # Keep changed files in /etc without a prompt (dpkg(1), --force-things).
    keep: ClassVar[str] = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
    pinned = "{}={}*"
    installing = f"{apt} {keep} install PACKAGE"
    # A question must not write these.
    no_caches = "-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
    removing = f"{apt} remove PACKAGE"
    upgrading = f"{apt} {keep} install --only-upgrade PACKAGE"
    newest = f"apt-cache {no_caches} policy PACKAGE | sed -n 's/^ *Candidate: //p'"

    def remove_all(self, package: str, along: Sequence[str]) -> str:
        # Docker's script installs each by name, so apt marks none as a dependency.
        own = shlex.join(name for name in along if name.startswith(("docker-", "containerd.")))
        # A plain autoremove would remove other packages too.
        unneeded = "apt-get -s autoremove | sed -n 's/^Remv \\([^ :]*\\).*/\\1/p'"
        ours = shlex.join(word for name in along for word in ("-e", name))
        return (
            f"{self.remove(package)} || exit\n"
            + (f"apt-mark auto {own} >/dev/null\n" if own else "")
            + f"unneeded=$({unneeded} | grep -Fx {ours})\n"
            + f'[ -z "$unneeded" ] || {self.apt} remove $unneeded'
        )


class Dnf(Distribution):
    ids = frozenset({"fedora"})
    package = "moby-engine"
    docker_script = True
    # Both wait for locks.
    program: ClassVar[str] = '"$(command -v dnf || command -v yum)"'
    dnf: ClassVar[str] = f"{program} -y"
    refresh = f"{dnf} makecache"
    pinned = "{}-{}*"
    # dnf replaces what a package declares obsolete, unasked: look first. dnf 4 prints NAME.ARCH, dnf 5 NAME ARCH
    # VERSION, also for what it upgrades.
    replaced: ClassVar[str] = (
        'awk \'/^ [^ ]/ {new = $1} $1 == "replacing" {name = $2; if ($4 == "") sub(/\\.[^.]*$/, "", name); '
        'if (name != new) {print "error: it would remove " name; bad = 1}} END {exit !bad}\''
    )
    installing = f"! {program} --assumeno install PACKAGE 2>&1 | {replaced} && {dnf} install PACKAGE"
    removing = f"{dnf} remove PACKAGE"
    removing_all = f"{dnf} --setopt=clean_requirements_on_remove=True remove PACKAGE"
    upgrading = f"{dnf} upgrade PACKAGE"
    newest = f"{dnf} -q repoquery --latest-limit=1 --qf '%{{version}}-%{{release}}\\n' PACKAGE"


class Amazon(Dnf):
    """Docker's script does not support Amazon Linux."""

    ids = frozenset({"amzn"})
    package = "docker"
    docker_script = False


class RedHat(Dnf):
    """RHEL and derivatives: their `docker` is podman's."""

    ids = frozenset({"rhel", "centos", "rocky", "almalinux", "ol"})
    package = ""


class Zypper(Distribution):
    ids = frozenset({"opensuse", "opensuse-leap", "opensuse-tumbleweed", "opensuse-microos", "suse", "sles", "sled"})
    # By default, zypper does not wait for a lock (status 7).
    zypper: ClassVar[str] = "ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive"
    # 106: installed, but a repository did not answer (zypper(8), EXIT CODES).
    skipped: ClassVar[str] = "|| [ $? -eq 106 ]"
    refresh = f"{zypper} --gpg-auto-import-keys refresh"
    # zypper needs an exact version, without patterns; the release may be omitted.
    pinned = "{} = {}"
    # zypper replaces what a package declares obsolete, unasked: look first.
    replaced: ClassVar[str] = "grep -i -A 1 -E 'going to be (removed|replaced|downgraded)'"
    installing = (
        f"! {zypper} install --dry-run --no-recommends PACKAGE | {replaced} && "
        f"{zypper} install --no-recommends PACKAGE {skipped}"
    )
    removing = f"{zypper} remove PACKAGE"
    removing_all = f"{zypper} remove --clean-deps PACKAGE"
    upgrading = f"{zypper} update PACKAGE {skipped}"
    newest = f"{zypper} --quiet info PACKAGE | sed -n 's/^Version *: //p'"


class Pacman(Distribution):
    ids = frozenset({"arch", "archarm", "manjaro", "endeavouros"})
    lock_files = ("/var/lib/pacman/db.lck",)
    refresh = "pacman -Sy --noconfirm"
    installing = "pacman -S --noconfirm --needed PACKAGE"
    removing = "pacman -R --noconfirm PACKAGE"
    removing_all = "pacman -Rs --noconfirm PACKAGE"
    upgrading = "pacman -S --noconfirm PACKAGE"
    # -Si would list all repositories.
    newest = "pacman -Spdd --print-format %v PACKAGE"

    def install(self, package: str, version: str = "") -> str:
        if version:
            raise CheckFailed(
                "pacman can only install the repository's version",
                Hint("Omit --engine-version, or install it on the host and use --engine-install none"),
            )
        return super().install(package)


class Apk(Distribution):
    """Alpine: busybox and OpenRC."""

    ids = frozenset({"alpine", "postmarketos"})
    refresh = "apk update"
    # `~` matches a prefix (apk-world(5)).
    pinned = "{}~{}"
    installing = "apk add --wait 300 PACKAGE"
    # It removes dependencies, too.
    removing = removing_all = "apk del PACKAGE"
    upgrading = "apk add --wait 300 --upgrade PACKAGE"
    newest = "apk policy PACKAGE | sed -n '2s/^ *\\(.*\\):$/\\1/p'"

    def start(self) -> str:
        return "rc-update add docker default && rc-service docker start"


ORDER: tuple[Distribution, ...] = (Apt(), Dnf(), Amazon(), RedHat(), Zypper(), Pacman(), Apk())


def choose_distribution(os_release: Mapping[str, str], given: str = "") -> Distribution:
    """Return the family by `given`, else ID, else ID_LIKE. Raises CheckFailed."""
    ids = [given] if given else [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    for name in ids:
        for distribution in ORDER:
            if name.lower() in distribution.ids:
                return distribution
    known = " ".join(sorted({name for distribution in ORDER for name in distribution.ids}))
    raise CheckFailed(
        f"Unknown distribution: {given or ' '.join(filter(None, ids)) or 'os-release names none'} (known: {known})",
        Hint("Name a similar one (--os debian), or install the engine yourself and use --engine-install none"),
    )
