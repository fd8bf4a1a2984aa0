# Run one host until it is switched off, with CGROUPS, D (its directory), IMAGES, LOWER, NAME, NETNS and VETH set.
# Its own cgroup: --keep-unit shares the caller's, and hosts would collide in it.
for cgroup in $CGROUPS; do echo $$ > "$cgroup/cgroup.procs"; done
# A private mount namespace: what is mounted here goes away with the last process of the host.
# shellcheck disable=SC2016  # the variables are for the shell in there
exec unshare --mount --propagation slave bash -c '
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd || exit 1
rm -rf "$D/work"/*
# mount(8) takes at most 256 bytes for the layers: they are named from where they are.
cd "$IMAGES" && mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$D/up,workdir=$D/work" "$D/root" || exit 1
# cgroup v2 inside, whatever this machine has. Of /proc/sys only net is writable: the rest is this machine, too.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
# Without filters of system calls: to make them takes a tenth of a boot, and runc needs much of what they refuse.
export SYSTEMD_SECCOMP=0
while :; do
  # No --suppress-sync: it makes runc fail to open its log with O_SYNC.
  systemd-nspawn --quiet --keep-unit --register=no -M "$NAME" -D "$D/root" --network-namespace-path="/run/netns/$NETNS" \
    --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE --setenv=SYSTEMD_SECCOMP=0 \
    --bind="$D/docker:/var/lib/docker" --bind="$D/containerd:/var/lib/containerd" \
    --resolv-conf=off --timezone=off --link-journal=no -b
  [ $? = 133 ] || break  # 133: the host asked for a reboot
done
ip link set "$VETH" down  # a server that is off does not answer at all'
