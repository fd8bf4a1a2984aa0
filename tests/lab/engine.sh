# Debian's engine as the tree of files that another distribution's package of it would hold, in /tmp/engine.
mkdir /tmp/engine
for package in docker.io docker-cli containerd runc tini; do
  set -- /var/cache/apt/archives/${package}_*.deb
  [ -e "$1" ] || continue  # Debian 12 has no docker-cli
  dpkg-deb --fsys-tarfile "$1" | tar -x -C /tmp/engine  # base.sh has unpacked it: `dpkg -x` would do so again
done
find /tmp/engine -depth -type d -empty -delete
groupadd -f -r docker
