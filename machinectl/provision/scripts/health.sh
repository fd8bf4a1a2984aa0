# How a host fares: read, and nothing changed. Needs a POSIX shell; busybox will do, and its user may be anybody.
# Prints what facts.sh prints: "@name words", from "@begin health" on; "@end" ends it. $root is the directory of the engine's data.
: "${root?}"
exec 2>/dev/null </dev/null
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH

# A fact is one line of text, whatever it is made of.
say() {
    case $* in *[[:cntrl:]]*) set -- "$(printf %s "$*" | tr '\000-\037\177' ' ')" ;; esac
    printf '\n@%s\n' "$*"
}

say begin health
for directory in / /usr /etc /var /tmp "$root"; do
    kib=$(df -P -k "$directory" | awk 'NR > 1 { print $1, $2, $4 }')
    # A file system without inodes of its own (btrfs) has 0 of them.
    inodes=$(df -P -i "$directory" | awk 'NR > 1 { print $2 + 0, $4 + 0 }')
    [ "$kib" ] && say disk "${kib#* }" "${inodes:-0 0}" "${kib%% *}" "$directory"
done
say memory "$(awk '$1 == "MemTotal:" { total = $2 } $1 == "MemAvailable:" { available = $2 }
    $1 == "SwapTotal:" { swap = $2 } $1 == "SwapFree:" { left = $2 }
    END { print total + 0, available + 0, swap + 0, left + 0 }' /proc/meminfo)"

# What Debian's packages leave there, and openSUSE's.
for file in /run/reboot-required /run/reboot-needed; do
    [ -e "$file" ] && say reboot "$(sort -u "$file.pkgs" | tr '\n' ' ')" && break
done
# A package manager replaces a program while it runs: the process goes on with the file that is gone.
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    case $name in dockerd | containerd) ;; *) continue ;; esac
    [ "$(stat -c %u "$process")" = 0 ] || continue
    case $(readlink "$process/exe") in *' (deleted)') say replaced "$name" "${process#/proc/}" ;; esac
done
say end
