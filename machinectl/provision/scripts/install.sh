# Install the engine with $refresh and $install, once the package manager's locks are free.
# ./environment holds NAME=VALUE lines (proxies), so that they are in no argument; it is deleted once read.
# $locks are lock files, $lock_files files whose existence is the lock; $deadline is how many seconds to wait for them.
# Exit status: 0; 75 if the locks were not free by the deadline; else the package manager's.
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
umask 022
: "${refresh?}" "${install?}" "${start?}" "${locks?}" "${lock_files?}" "${deadline?}"
# shellcheck disable=SC2163  # each line is NAME=VALUE
while IFS= read -r variable; do export "$variable"; done <environment
rm -f environment
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none

holder() {
    for lock in $locks; do
        [ -f "$lock" ] || continue
        pid=$(awk -v "inode=:$(stat -c %i "$lock")" '$2 != "->" && index($6, inode) { print $5; exit }' /proc/locks)
        [ -z "$pid" ] || { echo "$(cat "/proc/$pid/comm" 2>/dev/null) (process $pid) has $lock" && return; }
    done
    for lock in $lock_files; do [ ! -e "$lock" ] || { echo "$lock exists" && return; }; done
    return 1
}

waited=0
while held=$(holder); do
    [ $waited -lt "$deadline" ] || { echo "$held, also after $deadline s"; exit 75; }
    # launch.sh shows it.
    echo "Waiting: $held" >doing
    waited=$((waited + 1))
    sleep 1
done
rm -f doing

# If the lists cannot be updated, the old ones may do.
printf '%s\n' "$refresh"
eval "$refresh"

# All installed packages: a comparison shows what came with the engine.
packages() {
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^.i *//p'
    elif command -v rpm >/dev/null; then rpm -qa --qf '%{NAME}\n'
    elif command -v pacman >/dev/null; then pacman -Qq
    elif command -v apk >/dev/null; then apk info -q
    fi 2>/dev/null | sort -u
}
packages >before

# apt-get removes nothing, even if Docker's script calls it; it refuses downgrades by default (apt.conf(5)).
echo 'APT::Get::Remove "false";' >apt.conf
export APT_CONFIG="$PWD/apt.conf"
printf '%s\n' "$install"
eval "$install"
status=$?
came=$(packages | comm -13 before - | tr '\n' ' ')
# facts.sh reads the file, in case nobody reads this output.
[ -z "$came" ] || { printf 'came along: %s\n' "$came"; echo "$came" >/run/machinectl.new-packages; }
[ $status -eq 0 ] || exit $status
command -v dockerd >/dev/null || { echo "dockerd is not on the PATH after the installation"; exit 70; }
# A leftover daemon.json may stop it from starting: the next step replaces it, or names the error.
eval "$start" || echo "The engine does not start yet"
