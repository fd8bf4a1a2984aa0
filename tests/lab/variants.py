"""The kinds of host there are, each made by a script that runs once, in a chroot, for a cached layer of its own.

A script must not touch the network: it is this machine's. `unshare --net` keeps what wants to away from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

TWO_YEARS = 2 * 365 * 24 * 3600
"""Seconds that the clock of `clockbehind` and `clockahead` is off."""

_OS_RELEASE = Path(__file__).parents[1] / "provision" / "osrelease"


class Variant(NamedTuple):
    what: str
    script: str
    on: tuple[str, ...] = ()
    "Other variants that it is made on."
    port: int = 22
    "Where its sshd listens."


def _file(path: str, content: str) -> str:
    """A script that writes a file; the content needs no quoting."""
    return f"mkdir -p $(dirname {path})\ncat > {path} <<'END-OF-FILE'\n{content.rstrip()}\nEND-OF-FILE\n"


def _scripts(*names: str) -> str:
    return "".join(Path(__file__).with_name(name).read_text() for name in names)


def _other_family(os_release: str, *scripts: str) -> str:
    """A host that is no Debian any more: it has another package manager, whose repository has Debian's engine."""
    remove = "rm -rf /usr/bin/apt* /usr/bin/dpkg* /etc/os-release /etc/debian_version\n"
    return _scripts(*scripts) + remove + _file("/etc/os-release", (_OS_RELEASE / os_release).read_text())


def _install(*packages: str) -> str:
    return f"apt-get -q -y --no-install-recommends install {' '.join(packages)}\n"


def _sshd(option: str) -> str:
    return _file(f"/etc/ssh/sshd_config.d/10-{option.split(maxsplit=1)[0].lower()}.conf", option)


def _library(seconds: int) -> str:
    return f"/usr/local/lib/lab-clock{seconds:+}.so"


def _libraries(*seconds: int) -> str:
    """The libraries that set clocks wrong by so many seconds; the compiler leaves nothing else behind."""
    parts = [_install("gcc", "libc6-dev"), _file("/root/clock.c", _scripts("clock.c"))]
    parts += [f"gcc -O2 -fPIC -shared -DOFFSET={each} -o {_library(each)} /root/clock.c\n" for each in seconds]
    return "".join(parts) + "rm /root/clock.c\napt-get -q -y purge --autoremove gcc libc6-dev\n"


def _clock(seconds: int) -> str:
    return f"echo {_library(seconds)} > /etc/ld.so.preload\n"


# POSIX locks, as dpkg takes them: flock(1) would not be in its way.
_HOLD_LOCK = """#!/usr/bin/perl
open F, ">>", "/var/lib/dpkg/lock-frontend";
my $lock = pack "s s x4 q q i x4", 1, 0, 0, 0, 0;  # struct flock: F_WRLCK, the whole file
fcntl F, 6, $lock or die $!;                       # F_SETLK
sleep 20;
"""
_NOISE = "echo 'Welcome to the machine!'; echo 'Mind the step.' >&2\n"
_NFTABLES = """#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    tcp dport 22 accept
  }
}
"""

VARIANTS = {
    # Logging in
    "password": Variant(
        "no keys, password logins only, for root, too",
        "rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys\n" + _sshd("PermitRootLogin yes"),
    ),
    "port2222": Variant("sshd on port 2222 only", _sshd("Port 2222"), port=2222),
    "nosudo": Variant("sudo is not installed", "SUDO_FORCE_REMOVE=yes dpkg --purge sudo"),
    "sudors": Variant(
        "sudo is sudo-rs, as Ubuntu has it since 25.10",
        _install("sudo-rs") + "ln -s /usr/bin/sudo-rs /usr/local/bin/sudo",
    ),
    "doas": Variant(
        "doas in sudo's place: ops needs no password, dev one",
        _install("opendoas")
        + _file("/etc/doas.conf", "permit nopass ops\npermit dev")
        + "SUDO_FORCE_REMOVE=yes dpkg --purge sudo",
    ),
    "noisy": Variant(
        "each login prints lines on both streams, and a banner",
        _file("/etc/profile.d/noise.sh", _NOISE)
        + "for rc in /root/.bashrc /home/*/.bashrc; do cat /etc/profile.d/noise.sh $rc > new; cat new > $rc; done\n"
        + "rm new\n"
        + _file("/etc/motd", "Message of the day: none.")
        + _file("/etc/issue.net", "Authorized use only.")
        + _sshd("Banner /etc/issue.net"),
    ),
    "locale": Variant(
        "programs speak German",
        _install("locales")
        + "echo de_DE.UTF-8 UTF-8 > /etc/locale.gen; locale-gen\n"
        + _file("/etc/default/locale", "LANG=de_DE.UTF-8"),
    ),
    "rsync": Variant("rsync is installed", _install("rsync")),
    # The engine
    # Tests ask its engine by curl, which takes a third of perl's CPU time.
    "docker": Variant("docker.io is installed and runs, and curl", "apt-get -q -y install docker.io curl"),
    "podman": Variant("`docker` is podman", _install("podman-docker")),
    # Packages
    "aptdown": Variant(
        "apt's archive refuses connections, and nothing is cached",
        "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb\n"
        + _file("/etc/apt/sources.list", "deb http://127.0.0.1:9/debian stable main"),
    ),
    "aptlock": Variant(
        "dpkg's lock is held for 20 s after boot, or until `systemctl stop aptlock`",
        _file("/usr/local/sbin/aptlock", _HOLD_LOCK)
        + "chmod +x /usr/local/sbin/aptlock\n"
        + _file(
            "/etc/systemd/system/aptlock.service",
            "[Service]\nExecStart=/usr/local/sbin/aptlock\n[Install]\nWantedBy=sysinit.target",
        )
        + "systemctl enable -q aptlock",
    ),
    "rpm": Variant("has docker (Debian's files) as an RPM, for dnf and zypper", _scripts("engine.sh", "rpm.sh")),
    "dnf": Variant(
        "says Fedora, has dnf and no apt; its repository has docker (Debian's files as an RPM)",
        _other_family("fedora-41", "dnf.sh"),
        on=("rpm",),
    ),
    "zypper": Variant(
        "says openSUSE Leap, has zypper and no apt; its repository has docker (Debian's files as an RPM)",
        _other_family("opensuse-leap-15.6", "zypper.sh"),
        on=("rpm",),
    ),
    "pacman": Variant(
        "says Arch, has pacman and no apt; its repository has docker (Debian's files as a package)",
        _other_family("arch", "engine.sh", "pacman.sh"),
    ),
    # Firewalls that let in ssh alone
    "ufw": Variant(
        "ufw lets in port 22 alone",
        _install("ufw", "iptables")
        + "unshare --net ufw allow 22/tcp\nsed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf",
    ),
    "firewalld": Variant("firewalld lets in ssh alone", _install("firewalld")),
    "nftables": Variant(
        "an nftables rule set lets in port 22 alone",
        _install("nftables") + _file("/etc/nftables.conf", _NFTABLES) + "systemctl enable -q nftables",
    ),
    # Clocks
    "clocks": Variant("its clock is right, and can be set wrong", _libraries(-TWO_YEARS, TWO_YEARS)),
    "clockbehind": Variant("its clock is two years behind, for dockerd, too", _clock(-TWO_YEARS), on=("clocks",)),
    "clockahead": Variant("its clock is two years ahead, for dockerd, too", _clock(TWO_YEARS), on=("clocks",)),
}
