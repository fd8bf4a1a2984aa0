# Read a host's health, without changing it. Needs a POSIX shell (busybox is enough), and no root.
# Prints as facts.sh does: "@name words", from "@begin health" to "@end". $root is the engine's data directory, whose disk is
# the last one.
: "${root?}"
exec 2>/dev/null </dev/null
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH

# A fact is one line of text.
say() {
    case $* in *[[:cntrl:]]*) set -- "$(printf %s "$*" | tr '\000-\037\177' ' ')" ;; esac
    printf '\n@%s\n' "$*"
}

say begin health
df "$root" >/dev/null || root=/
for directory in / /usr /etc /etc/docker /var /tmp "$root"; do
    # Without a device of its own (tmpfs, overlay), a file system is known by its mount point.
    kib=$(df -P -k "$directory" | awk 'NR > 1 { print ($1 ~ "^/" ? $1 : $1 ":" $6), $2, $4, $3 }')
    # btrfs reports 0 inodes.
    inodes=$(df -P -i "$directory" | awk 'NR > 1 { print $2 + 0, $4 + 0 }')
    [ "$kib" ] && say disk "${kib#* }" "${inodes:-0 0}" "${kib%% *}" "$directory"
done
say memory "$(awk '$1 == "MemTotal:" { total = $2 } $1 == "MemAvailable:" { available = $2 }
    $1 == "SwapTotal:" { swap = $2 } $1 == "SwapFree:" { left = $2 }
    END { print total + 0, available + 0, swap + 0, left + 0 }' /proc/meminfo)"

read -r one five fifteen _ </proc/loadavg && say load "$one" "$five" "$fifteen"
read -r seconds _ </proc/uptime && say uptime "$seconds"

# Files of Debian's and openSUSE's packages.
for file in /run/reboot-required /run/reboot-needed; do
    [ -e "$file" ] && say reboot "$(sort -u "$file.pkgs" | tr '\n' ' ')" && break
done
# Programs whose file a package manager replaced while they ran.
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    case $name in dockerd | containerd) ;; *) continue ;; esac
    [ "$(stat -c %u "$process")" = 0 ] || continue
    case $(readlink "$process/exe") in *' (deleted)') say replaced "$name" "${process#/proc/}" ;; esac
done
# What dpkg left half done.
grep -q -E '^Status: .* (half-configured|half-installed|unpacked)$' /var/lib/dpkg/status /var/lib/dpkg/updates/[0-9]* &&
    say interrupted
say end
