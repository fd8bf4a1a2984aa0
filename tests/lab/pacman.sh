# Make a host an Arch as far as provisioning can tell: pacman, and a repository in /srv/repo of the files in /tmp/engine.
apt-get -q -y --no-install-recommends install pacman-package-manager makepkg libarchive-tools
mkdir -p /srv/repo
cd /tmp/engine || exit
package=docker-1:26.1.5-1-$(uname -m).pkg.tar
printf '%s = %s\n' pkgname docker pkgver 1:26.1.5-1 pkgdesc 'Docker Engine' arch "$(uname -m)" \
  size "$(du -sb . | cut -f 1)" > .PKGINFO
# shellcheck disable=SC2035  # no name begins with a dash, and ./ would become part of each
bsdtar -cf "/srv/repo/$package" .PKGINFO *
repo-add -q /srv/repo/lab.db.tar.gz "/srv/repo/$package"
printf '[lab]\nSigLevel = Optional TrustAll\nServer = file:///srv/repo\n' >> /etc/pacman.conf
cd /
rm -r /tmp/engine
