# Make a fresh Debian a lab host's base image: PASSWORD and PUBLIC_KEY come as environment.
useradd -m -s /bin/bash ops
useradd -m -s /bin/bash dev
useradd -m -s /bin/bash joe
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
echo 'dev ALL=(ALL:ALL) ALL' > /etc/sudoers.d/dev
for user in root ops dev joe; do
  echo "$user:$PASSWORD" | chpasswd -c SHA256  # Debian's own takes 65 ms each time that sudo or sshd asks for a password
  home=$(getent passwd $user | cut -d: -f6)
  install -d -m 700 -o $user -g $user "$home/.ssh"
  echo "$PUBLIC_KEY" > "$home/.ssh/authorized_keys"
  chown $user:$user "$home/.ssh/authorized_keys"
done
# Units that cannot work in a container, or would take apt's lock behind a test's back.
systemctl mask -q systemd-modules-load.service console-getty.service getty@tty1.service \
  apt-daily.timer apt-daily-upgrade.timer fstrim.timer dpkg-db-backup.timer
# It is scheduled as idle: on a busy machine, a boot of Debian 12 waits for it forever.
systemctl mask -q e2scrub_reap.service
# What no test needs: without it, a host boots with 60 % of the CPU time.
systemctl mask -q dev-hugepages.mount dev-mqueue.mount ldconfig.service proc-sys-fs-binfmt_misc.automount run-lock.mount \
  sshd-unix-export.socket sshd-unix-local.socket sys-fs-fuse-connections.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount systemd-binfmt.service systemd-creds.socket systemd-initctl.socket \
  systemd-journal-catalog-update.service systemd-random-seed.service systemd-remount-fs.service systemd-sysctl.service \
  systemd-sysext.socket systemd-sysusers.service systemd-tmpfiles-clean.timer systemd-tmpfiles-setup-dev-early.service \
  systemd-tmpfiles-setup-dev.service systemd-update-done.service user@.service
# systemd reads all units at each boot and reload: three quarters of the time without those for disks, firmware and sleep.
for kind in backlight battery bsod confext cryptdisks firstboot fsck getty- getty@ growfs hibernate hwclock initrd kmod \
  machine-id modprobe@ network-generator networkd pcr pstore quota rfkill sleep soft-reboot storagetm suspend sys-kernel \
  sysext tpm2 volatile; do
  rm -rf /usr/lib/systemd/system/*"$kind"*
done
mkdir /etc/systemd/system-generators
for generator in debug fstab getty gpt-auto hibernate-resume rc-local run ssh system-update sysv tpm2; do
  ln -s /dev/null /etc/systemd/system-generators/systemd-$generator-generator
done
# An engine starts with 80 % of the CPU time where Go does not work on both cores, which other hosts use, and with 75 % where
# it does not collect garbage either.
mkdir /etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=GOMAXPROCS=1 GOGC=off GOMEMLIMIT=256MiB\n' > /etc/systemd/system.conf.d/lab.conf
rm -f /etc/ssh/ssh_host_*  # each host gets its own
rm -r /etc/update-motd.d  # five programs at each login
# What an installation brings, also as a recommendation. Not iproute2, which brings libbpf: with it, systemd tries at each
# boot what BPF programs the kernel takes, in an eighth of the CPU time. Nor buildx, of 60 MB, which no test uses on a host.
brings() { apt-get -s install "$@" iproute2- | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -vx docker-buildx; }
# docker.io's packages lie ready in the image: apt in a host is real, but has nothing to fetch.
brings docker.io | xargs apt-get -q -y -o APT::Keep-Downloaded-Packages=true --no-install-recommends install --download-only
# What it only recommends (perl, git, python …) is installed now: 4 s instead of 15 s in each host.
brings docker.io | grep -vE '^(docker|containerd|runc|tini)' | xargs apt-get -q -y --no-install-recommends install
# apt reads all of its lists each time, which takes 1.5 s of CPU time for the whole of Debian. A host knows what is installed,
# what lies ready, and what tests install; what a variant's layer installs is found in the whole lists.
mkdir /var/cache/lab
cp -a /var/lib/apt/lists /var/cache/lab/lists
printf '%s\n' 'Dir::State::lists "/var/cache/lab/lists";' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
  > /var/cache/lab/apt.conf
known="$(dpkg-query -W -f '${Package}\n')
$(brings docker.io rsync libpam-google-authenticator)"
for list in /var/lib/apt/lists/*_Packages; do
  known=$known awk -v RS= -v ORS='\n\n' 'BEGIN { split(ENVIRON["known"], names); for (i in names) known[names[i]] }
    $2 in known' "$list" > /tmp/list
  touch -r "$list" /tmp/list
  mv /tmp/list "$list"
done
apt-cache gencaches
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab
# To unpack the engine's packages takes half of an installation's CPU time: it is done once, here.
for package in docker containerd runc tini; do
  for file in /var/cache/apt/archives/"$package"*.deb; do
    dpkg-deb --fsys-tarfile "$file" > "/var/cache/lab/${file##*/}"
  done
done
mv /usr/bin/dpkg-deb /usr/bin/dpkg-deb.real
cat > /usr/bin/dpkg-deb << 'E'
#!/bin/sh
if [ "$1" = --fsys-tarfile ]; then
  file=$(readlink -f "$2")  # apt gives dpkg links
  [ ! -e "/var/cache/lab/${file##*/}" ] || exec cat "/var/cache/lab/${file##*/}"
fi
exec /usr/bin/dpkg-deb.real "$@"
E
chmod 755 /usr/bin/dpkg-deb
