"""An engine is not installed if its package would remove another one: real package managers refuse to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from tests.hosts.test_setup_lab import Bench

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.lab.fixtures import FreshHost

pytestmark = pytest.mark.timeout(300)

# Docker's containerd.io as far as its control file says (docker/containerd-packaging).
DEB = """
mkdir -p /tmp/p/DEBIAN
cat >/tmp/p/DEBIAN/control <<'END'
Package: containerd.io
Version: 1.7.27-1
Architecture: all
Maintainer: lab <lab@example.org>
Provides: containerd, runc
Conflicts: containerd, runc
Replaces: containerd, runc
Description: container runtime
END
dpkg-deb -b /tmp/p /tmp/p.deb && dpkg -i /tmp/p.deb
"""
# A package of the engine that replaces containerd.io, as containerd.io replaces containerd.
RPM = """
spec() {
    printf 'Name: %s\\nVersion: %s\\nRelease: 1\\nSummary: x\\nLicense: x\\nBuildArch: noarch\\n%s\\n' "$1" "$2" "$3"
    printf '%%description\\nx\\n%%files\\n'
}
build() { rpmbuild -bb --quiet --define "_rpmdir $1" --define '_binary_payload w1.gzdio' /tmp/x.spec; }
spec containerd.io 1.7.27 '' >/tmp/x.spec && build /tmp/there && rpm -i --nodeps /tmp/there/*/*.rpm
spec ENGINE 99 'Obsoletes: containerd.io' >/tmp/x.spec && build /srv/more && createrepo_c -q /srv/more
printf '[more]\\nname=more\\nbaseurl=file:///srv/more\\nenabled=1\\nautorefresh=1\\ngpgcheck=0\\n' >REPOS/more.repo
"""
PACMAN = """
package() {
    mkdir -p /tmp/p && cd /tmp/p && rm -rf usr && mkdir -p usr/share/$1 && touch usr/share/$1/x
    printf 'pkgname = %s\\npkgver = %s\\npkgdesc = x\\narch = any\\nsize = 0\\n%s\\n' "$1" "$2" "$3" >.PKGINFO
    bsdtar -caf "$4/$1-$2-any.pkg.tar.zst" .PKGINFO usr
}
mkdir -p /tmp/there
package containerd.io 1.7.27-1 '' /tmp/there && pacman -U --noconfirm /tmp/there/*.zst
package docker 2:99-1 'conflict = containerd.io' /srv/repo
repo-add -q /srv/repo/lab.db.tar.gz /srv/repo/docker-2:99-1-any.pkg.tar.zst
pacman -Sy --noconfirm
"""
FAMILIES = {
    "": (DEB, "docker.io", "dpkg-query -W containerd.io"),
    "dnf": (
        RPM.replace("ENGINE", "moby-engine").replace("REPOS", "/etc/yum.repos.d") + "dnf -q makecache\n",
        "moby-engine",
        "rpm -q containerd.io",
    ),
    "zypper": (
        RPM.replace("ENGINE", "docker").replace("REPOS", "/etc/zypp/repos.d"),
        "docker",
        "rpm -q containerd.io",
    ),
    "pacman": (PACMAN, "docker", "pacman -Q containerd.io"),
}


@pytest.mark.parametrize("variant", FAMILIES)
def test_an_installation_replaces_no_package_that_is_there(fresh_host: FreshHost, store: Store, variant: str) -> None:
    make, package, query = FAMILIES[variant]
    bench = Bench(fresh_host(*([variant] if variant else [])), store)
    bench.host.run(make)
    with pytest.raises(MachineError, match="Docker Engine could not be installed") as raised:
        bench.provision()
    assert "containerd" in raised.value.cause
    assert package in raised.value.hint
    assert "1.7.27" in bench.host.output(query)
    assert bench.host.run("command -v dockerd", check=False).stdout == ""
    bench.purge()
    assert bench.store.read("orion").changes == ()
