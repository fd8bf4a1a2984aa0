# Read what a host is like, without changing it. Needs root and a POSIX shell; busybox is enough.
# Prints "@name words" for each fact, followed by its lines with a "|" before each; ends with "@end".
# $port is the engine's port, $patience how many seconds to wait for an earlier run's job, and
# four times as long as for an engine that starts.
: "${port?}" "${patience?}"
exec 2>/dev/null </dev/null
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH

# A fact is one line of text: anybody on the host can put control characters into a process's name.
say() {
    case $* in *[[:cntrl:]]*) set -- "$(printf %s "$*" | tr '\000-\037\177' ' ')" ;; esac
    printf '\n@%s\n' "$*"
}
# A program costs a host 1 or 2 ms: where a text is short, or a variable, the shell writes its lines.
lines() { sed 's/^/|/'; }
short_lines() { while IFS= read -r line || [ "$line" ]; do printf '|%s\n' "$line"; done; }
# Those of a text without empty lines, however long.
text_lines() {
    set -f
    IFS='
'
    for line in $1; do printf '|%s\n' "$line"; done
    set +f
    unset IFS
}
# Follow links: a link itself has mode 777.
file() {
    [ -f "$1" ] && say file "$(stat -Lc '%a %u %g' "$1")" "$1" && text_lines "$(head -c 1048577 <"$1" | base64)"
}
# The sums of files, by one program for all. Missing files are left out, and names with control characters.
sums() {
    for path; do
        shift
        [ -f "$path" ] && case $path in *[[:cntrl:]]*) ;; *) set -- "$@" "$path" ;; esac
    done
    [ $# = 0 ] || { stat -Lc '%a %u %g %n' "$@"; sha256sum "$@"; } | awk '
        length($1) < 64 { name = $0; sub(/^[^ ]* [^ ]* [^ ]* /, "", name); mode[name] = $1 " " $2 " " $3; next }
        substr($0, 67) in mode { print "\n@sum " mode[substr($0, 67)] " " $1 " " substr($0, 67) }'
}
# The free KiB and inodes of directories, by one program for all. Some file systems have no limit of inodes.
room() {
    stat -f -c '%a %S %c %d %n' "$@" | while read -r blocks size limit inodes path; do
        [ "$limit" -gt 0 ] || inodes=-
        echo "$((blocks * size / 1024)) $inodes $path"
    done
}
has() { command -v "$1" >/dev/null; }
# Whether a process runs a program. Its name proves nothing: anybody can choose it.
runs() { program=$(readlink "$1/exe"); case ${program##*/} in "$2"*) return 0 ;; esac; return 1; }

say begin 1
tries=0
at_work() {
    { read -r job; read -r since; } </run/machinectl/pid
    [ "$job" ] && now=$(sed 's/.*) //' "/proc/$job/stat" | cut -d' ' -f20) && [ "$now" ] && [ "${since:-$now}" = "$now" ]
}
while at_work; do
    [ $tries -lt $((patience * 5)) ] || { say job "$job"; break; }
    tries=$((tries + 1))
    sleep 0.2
done

# A host that has just booted starts its engine. A job that hangs is for the refusal.
tries=0
while has systemctl && jobs=$(systemctl list-jobs --no-legend --full); do
    case $jobs in *' docker.service '*) [ $tries -lt $((patience * 5 / 4)) ] || break ;; *) break ;; esac
    tries=$((tries + 1))
    sleep 0.2
done

# Each systemctl takes 10 ms of CPU, and as much of systemd's: ask once, for what follows too.
has systemctl && units=$(systemctl show docker.service docker.socket containerd.service '*.path' -p Id -p Names \
    -p ControlGroup -p LoadState -p ActiveState -p UnitFileState -p DropInPaths -p NeedDaemonReload -p MainPID -p RequiredBy \
    -p BoundBy -p ConsistsOf -p Listen -p After -p Paths -p Triggers) && say units
block=service main_pid='' related='' listens=''
while IFS= read -r line; do
    # Empty lines separate the units.
    [ "$units" ] && printf '|%s\n' "$line"
    # shellcheck disable=SC2034  # engine.sh uses $main_pid
    case $block:$line in
    service:MainPID=*) main_pid=${line#*=} ;;
    service:RequiredBy=* | service:BoundBy=* | service:ConsistsOf=*) related="$related ${line#*=}" ;;
    socket:Listen=*' (Stream)') line=${line%' (Stream)'} listens="$listens${line#*=}
" ;;
    service:) block=socket ;;
    socket:) block=rest ;;
    esac
done <<END
$units
END

[ "$units" ] && say jobs && text_lines "$jobs"

# Ask the engine in parallel: that takes as long as all the rest.
{ has dockerd && engine_info; } | {
exec 3<&0 </dev/null

say uid "$(id -u)"
say clock "$(date +%s)"
say arch "$(uname -m)"
say os
for release in /etc/os-release /usr/lib/os-release; do [ -r $release ] && short_lines <$release && break; done
if [ -d /run/systemd/system ]; then say init systemd; elif has rc-service; then say init openrc; else say init other; fi
for directory in /etc/docker /etc/docker/machinectl /etc/systemd/system/docker.service.d; do
    [ -d $directory ] && say directory $directory
done
# It may be a file system of its own.
configured=/etc/docker
[ -d $configured ] || configured=/etc
room / /usr /var /etc $configured | { read -r root _; read -r usr usr_inodes _; read -r var var_inodes _
    read -r etc etc_inodes _; read -r below below_inodes _
    say inodes "$usr_inodes" "$var_inodes" "$etc_inodes" "$below_inodes"
    say free "$root" "$usr" "$var" "$etc" "$below"; }
device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
[ "$device" ] && say mac "$(cat "/sys/class/net/$device/address")"

# The user who became root, and whether they may use the engine.
login=${SUDO_USER:-${DOAS_USER:-}}
[ "$login" ] && [ "$(id -u "$login")" != 0 ] && say login "$login" "$(id -nG "$login")"
[ -S /var/run/docker.sock ] && say socket-group "$(stat -Lc %G /var/run/docker.sock)"

# The engine's service.
config=/etc/docker/daemon.json
value="[\"']\{0,1\}[= ][\"']\{0,1\}\([^ \"']*\)"
if has systemctl; then
    printf %s "$listens" | while IFS= read -r address; do say socket-listens "$address"; done
    say unit
    unit=$(systemctl cat docker.service)
    short_lines <<END
$unit
END
    # Programs that it starts and that do not exist.
    printf '%s\n' "$unit" | sed -n 's/^ExecStart=[-@:+!]*\(\/[^ ]*\).*/\1/p' | while read -r program; do
        [ -x "$program" ] || say absent "$program"
    done
    environment=
    case $unit in *EnvironmentFile=*) environment=$(printf '%s\n' "$unit" | sed -n 's/^EnvironmentFile=-\{0,1\}//p') ;; esac
    # shellcheck disable=SC2086  # one word for each unit
    for dependent in $(running_units $related); do say dependent "$dependent"; done
else
    environment=/etc/conf.d/docker
    rc-service docker status >/dev/null && say openrc started
    rc-update show default | grep -q '^ *docker ' && say openrc enabled
fi
named=
case ${environment:+--config-file}$unit in *--config-file*)
    # A quoted path may contain spaces.
    # shellcheck disable=SC2086  # one word for each file
    named=$({ cat $environment; printf '%s\n' "$unit"; } | sed -n -e "s/^[^#]*\"--config-file=\([^\"]*\)\".*/\1/p;t" \
        -e "s/^[^#]*'--config-file=\([^']*\)'.*/\1/p;t" -e "s/^[^#]*--config-file[= ]\"\([^\"]*\)\".*/\1/p;t" \
        -e "s/^[^#]*--config-file[= ]'\([^']*\)'.*/\1/p;t" -e "s/^[^#]*--config-file$value.*/\1/p" | tail -n 1) ;;
esac
config=${named:-$config}
# Only the lines that may hold dockerd's options: others may hold passwords.
for path in $environment; do
    [ -f "$path" ] && say environment "$path" && grep -E '^[A-Za-z_]*(OPT|ARG|REGISTRY)' "$path" | lines
done

# The engine, and what looks like one.
has dockerd && say dockerd "$(command -v dockerd)"
has dockerd && say containerd "$(command -v containerd || command -v docker-containerd)"
[ -S /run/containerd/containerd.sock ] && say containerd-socket
# The packages of the last installation, until the next boot.
[ -f /run/machinectl.new-packages ] && say new_packages "$(cat /run/machinectl.new-packages)"
say packages
if has dpkg-query; then
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' docker.io docker-ce moby-engine docker-engine \
        podman-docker containerd.io containerd runc docker-cli rootlesskit | sed -n 's/^.i */|/p'
elif has rpm; then
    rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\n' docker-ce moby-engine docker docker-engine podman-docker \
        containerd.io containerd runc |
        grep -v ' not installed' | lines
elif has pacman; then pacman -Q docker podman-docker | lines
elif has apk; then apk info -v docker podman-docker 2>/dev/null | sed -n 's/^\([a-z-]*\)-\([0-9]\)/|\1 \2/p'
fi
docker=$(command -v docker)
has dockerd || { [ "$docker" ] && grep -q podman "$docker" && say podman "$docker"; }
{ [ -e /snap/bin/docker ] || [ -d /var/snap/docker ]; } &&
    say snap "$(find /var/snap/docker/common/var-lib-docker/containers -mindepth 1 -maxdepth 1 -type d | wc -l)"
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" || continue
    case $name in
    dockerd*) runs "$process" dockerd &&
        say process "${process#/proc/}" "$(stat -c %u "$process")" "$(tail -n 1 "$process/cgroup")" &&
        tr '\0\n' '\n ' <"$process/cmdline" | grep -A 1 -e '^--config-file' | lines
        starter=$(sed -n 's/^PPid:[^0-9]*//p' "$process/status") && [ "${starter:-0}" -gt 1 ] &&
            say starter "${process#/proc/}" "$(cat "/proc/$starter/comm")" ;;
    containerd-shim*) [ "$(stat -c %u "$process")" = 0 ] && runs "$process" containerd-shim &&
        # A command line has no final newline; without one, the next fact would be joined to it.
        { tr '\0\n' '  ' <"$process/cmdline"; echo; } |
            sed -n "s|.*-namespace moby .*-id \([0-9a-f]*\).*|@container \1 ${process#/proc/}|p" ;;
    esac
done
info=$(cat <&3)
if [ "$info" ]; then
    say info
    text_lines "$info"
    # The containers' names. Those that have restarted by themselves, and were started in the last ten minutes, are looping.
    # Those that have ended by themselves, with success, are finished.
    awk -v since="$(date -u -d "@$(($(date +%s) - 600))" +%Y-%m-%dT%H:%M:%S)" '
        match($0, /"Name":"\/[A-Za-z0-9_.-]*","Driver":/) {
            name = substr($0, RSTART + 9, RLENGTH - 20)
            loops = match($0, /"RestartCount":[1-9]/) && match($0, /"StartedAt":"[^"]*/) && substr($0, RSTART + 13, 19) > since
            ends = /"Running":false/ && /"ExitCode":0,/ && /"HasBeenManuallyStopped":false/
            split(FILENAME, path, "/containers/")
            print "@known", substr(path[2], 1, 64), name, loops ? "looping" : ends ? "finished" : ""
        }' "$(printf '%s\n' "$info" | sed -n 's/.*"DockerRootDir":"\([^"]*\)".*/\1/p')"/containers/*/config.v2.json
elif has dockerd; then
    say version
    dockerd --version | lines
fi
[ -s /var/lib/docker/swarm/docker-state.json ] && say swarm

# Flags of the running engine that daemon.json must set, and whether daemon.json or clients.pem was changed since its start
# (proc(5)).
if engine=$(engine_process); then
    tr '\0' '\n' <"/proc/$engine/cmdline" | sed -n -e 's/^-H.*/host/p' -e 's/^--host.*/host/p' -e 's/^--\(tls[a-z]*\).*/\1/p' |
        sort -u | while read -r flag; do say started "$flag"; done
    # The engine writes its PID file when it starts. Without it, /proc may be two seconds early.
    if [ "$(cat /run/docker.pid)" = "$engine" ]; then
        newer() { [ "$(find -L "$1" -newer /run/docker.pid)" ]; }
    else
        booted=$(sed -n 's/^btime //p' /proc/stat)
        ticks=$(sed 's/.*) //' "/proc/$engine/stat" | cut -d' ' -f20)
        started=$((booted + ticks / $(getconf CLK_TCK || echo 100)))
        newer() { changed=$(stat -Lc %Y "$1") && [ "$changed" -gt $((started + 1)) ]; }
    fi
    newer "$config" && say edited
    newer /etc/docker/machinectl/clients.pem && say clients-edited
fi

# Its configuration.
say config "$config"
file "$config"
[ -e "$config.before-machinectl" ] && say backup "$config.before-machinectl"
# What keeps even root from writing: a read-only file system, be it so for this session alone (ProtectSystem= of sshd's unit),
# chattr +i, something else in the place of a file or a directory, and locks that nobody is going to remove.
session_unit() {
    process=$$
    while parent=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$process/status") && [ "${parent:-0}" -gt 1 ]; do process=$parent; done
    tail -n 1 "/proc/$process/cgroup" | sed 's|.*/||; s|@.*|@.service|'
}
unwritable() {
    kind=$1
    shift
    for path; do
        [ -e "$path" ] || continue
        if ! test "$kind" "$path"; then why=$kind
        elif [ -w "$path" ]; then continue
        elif nsenter -t 1 -m test -w "$path"; then why=session:$(session_unit)
        else case ,$(findmnt -n -o OPTIONS -T "$path"), in ,, | *,ro,*) why=read-only ;; *) why=immutable ;; esac
        fi
        say unwritable "$why" "$path"
    done
}
unwritable -d /etc /etc/docker /etc/docker/machinectl /etc/systemd/system /etc/systemd/system/docker.service.d \
    "${config%/*}" /usr/bin /var/lib
unwritable -f "$config" /etc/docker/machinectl/ca.pem /etc/docker/machinectl/server.pem \
    /etc/docker/machinectl/clients.pem /etc/docker/machinectl/revision /etc/group
for path in /etc/group.lock /etc/gshadow.lock; do
    [ -f "$path" ] || continue
    # Its owner's PID. The lock of a process that has ended is replaced, one without a number is not (commonio.c of shadow).
    owner=$(tr -d '\000' <"$path"; echo .)
    case ${owner%.} in '' | *[!0-9]*) ;; *) [ -d "/proc/${owner%.}" ] || continue ;; esac
    say unwritable locked "$path"
done
read -r revision </etc/docker/machinectl/revision && say revision "$revision"
# The CA, the certificate and the data directories that daemon.json and the unit name.
authorities='' served='' roots=/var/lib/docker
while read -r kind path; do
    case $kind in ca) authorities="$authorities $path" ;; cert) served="$served $path" ;; root) roots="$roots $path" ;; esac
done <<END
$({ [ -f "$config" ] && cat "$config"; printf '\n%s\n' "$unit"; } | sed -n -e 'h;s/.*"tlscacert"[^"]*"\([^"]*\)".*/ca \1/p' \
    -e 'g;s/.*"data-root"[^"]*"\([^"]*\)".*/root \1/p' -e 'g;s/.*"graph"[^"]*"\([^"]*\)".*/root \1/p' \
    -e 'g;s/.*"tlscert"[^"]*"\([^"]*\)".*/cert \1/p' -e "g;s/^[^#]*--tlscert$value.*/cert \1/p" \
    -e "g;s/^[^#]*--tlscacert$value.*/ca \1/p" -e 'g;s/^[^#]*--data-root[= ]\([^ ]*\).*/root \1/p')
END
# shellcheck disable=SC2086  # one word for each file
sums /etc/docker/machinectl/ca.pem /etc/docker/machinectl/server.pem /etc/docker/machinectl/server-key.pem \
    /etc/docker/machinectl/environment /etc/docker/machinectl/revision $authorities $served
# The CAs in a list of the host's owner, which may hold a key, too.
for path in $authorities; do
    case $path in /etc/docker/machinectl/*) continue ;; esac
    [ -f "$path" ] && say trusted && text_lines "$(sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$path" |
        head -c 1048576 | base64)"
done
for name in /etc/systemd/system/docker.service.d/*machinectl.conf; do file "$name"; done
# The machine's CA, and those that the engine accepts besides it.
file /etc/docker/machinectl/ca.pem
file /etc/docker/machinectl/clients.pem
# The engine reports its data directory with links followed.
for root in $roots; do
    followed=$(readlink -f "$root") && [ "$followed" != "${root%/}" ] && say link "${root%/}" "$followed"
    [ "$engine" ] || stored=$((${stored:-0} + $(find "$root/containers" -mindepth 1 -maxdepth 1 -type d | wc -l)))
    # A Swarm node's containers stop with its engine. These are not restarted, neither by the engine nor by the Swarm.
    [ -s "$root/swarm/docker-state.json" ] && grep -lE '"RestartPolicy":\{"Name":"(no)?"' "$root"/containers/*/hostconfig.json |
        while read -r hostconfig; do
            container=${hostconfig%hostconfig.json}config.v2.json
            grep -q '"State":{"Running":true' "$container" && ! grep -q '"com.docker.swarm.task.id":' "$container" &&
                say once "$(sed -n 's/.*"Name":"\/\([A-Za-z0-9_.-]*\)","Driver":.*/\1/p' "$container")"
        done
done
[ "$engine" ] || say stored "$stored"
# Directories that need free space when the engine starts.
# shellcheck disable=SC2086  # one word for each directory
room /run /var/lib/containerd $roots | while read -r kib inodes directory; do say room "$kib" "$inodes" "$directory"; done
read -r phase </etc/docker/machinectl/transaction/phase && say transaction "$phase"

# The process that holds a socket. `ls` only gives candidates: anybody can name a file like a socket.
holder() {
    # shellcheck disable=SC2012  # the names are numbers, and one ls is quicker than a readlink for each
    ls -l /proc/[0-9]*/fd | awk -v "link=socket:[$1]" '/^\/proc\/[0-9]+\/fd:$/ { split($0, path, "/") }
        NF > 3 && $(NF - 1) == "->" && $NF == link { print path[3] "/fd/" $(NF - 2) }' | while read -r found; do
        [ "$(readlink "/proc/$found")" = "socket:[$1]" ] && echo "${found%%/*}" && break
    done
}

# Whether podman has the engine's socket: behind a link, through systemd, or itself. An engine replaces a dangling link.
link=$(readlink -f /run/docker.sock)
case $link in *podman*)
    awk -v "link=$link" '$8 == link && $4 == "00010000" { found = 1 } END { exit !found }' /proc/net/unix && say podman-socket ;;
esac
has systemctl && has podman && systemctl list-sockets --no-legend --full | awk '$1 ~ /\/run\/docker\.sock$/ && $3 ~ /podman/' |
    grep -q . && say podman-socket
has podman && inode=$(awk '$8 ~ /^(\/var)?\/run\/docker\.sock$/ && $4 == "00010000" { print $7; exit }' /proc/net/unix)
[ "$inode" ] && runs "/proc/$(holder "$inode")" podman && say podman-socket

# The processes that listen on the engine's port.
awk -v "port=:$(printf %04X "$port")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
    /proc/net/tcp /proc/net/tcp6 | while read -r inode; do
    owner=$(holder "$inode")
    say listener "${owner:-0}" "$(cat "/proc/$owner/comm")"
done

# Without a userland proxy, a container's port is forwarded by NAT and has no listener.
has nft && ruleset=$(nft list ruleset)
{ iptables -t nat -S; printf '%s\n' "$ruleset"; } | grep -i -q -E "dport $port( .*)? dnat( |$)" && say listener 0

# Containers whose shims are in docker.service's control group may be stopped with it by systemd.
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" && case $name in containerd-shim*)
        grep -q '/docker\.service\(/\|$\)' "$process/cgroup" && say shims && break ;;
    esac
done

# Docker commands that a restart would cut off, and the system unit that started each. Only processes that may use the
# engine's socket and are not in a container count: anybody can name a program docker.
here=$(readlink /proc/self/ns/pid)
group=$(stat -Lc %g /run/docker.sock || echo 0)
may_speak() {
    [ "$(readlink "$1/ns/pid")" = "$here" ] || return 1
    awk -v "group=$group" '$1 == "Uid:" && $3 == 0 { found = 1 }
        $1 == "Gid:" || $1 == "Groups:" { for (i = 2; i <= NF; i++) if ($i == group) found = 1 }
        END { exit !found }' "$1/status"
}
# shellcheck disable=SC2012  # the names are numbers, and one ls is quicker than a readlink for each
for process in $(ls -l /proc/[0-9]*/exe | sed -n 's|.* \(/proc/[0-9]*\)/exe -> .*/docker\(-compose\)\{0,1\}$|\1|p'); do
    case $(readlink "$process/exe") in */cli-plugins/*) continue ;; */docker | */docker-compose) ;; *) continue ;; esac
    verb=$(tr '\0' '\n' <"$process/cmdline" | grep -x -m 1 -E 'run|start|up|compose|attach|exec|logs|build|buildx|pull|push|events|stats|wait')
    unit=$(tail -n 1 "$process/cgroup" | sed -n 's|^.*:/system\.slice/\(.*/\)\{0,1\}\([^/]*\.service\).*|\2|p')
    [ "$verb" ] && may_speak "$process" && say client "${process#/proc/}" "$verb" "$unit"
done

# Holders of the package manager's locks, and what it left half done.
stat -c '%i %n' /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock |
    awk 'NR == FNR { lock[$1] = $2; next }
        $2 != "->" { split($6, file, ":"); if (file[3] in lock) print $5, lock[file[3]] }' - /proc/locks |
    while read -r holder lock; do say lock "$holder" "$(cat "/proc/$holder/comm")" "$lock"; done
{ cat /var/lib/dpkg/updates/[0-9]*; grep -B 1 -E '^Status: .* (half-configured|half-installed|unpacked)$' /var/lib/dpkg/status; } |
    sed -n 's/^Package: /@unfinished /p'

# Firewalls that may block the engine's port.
grep -q '^ENABLED=yes' /etc/ufw/ufw.conf && say firewall ufw && grep '^### tuple ###' /etc/ufw/user.rules | lines
if has firewall-cmd && firewall-cmd --state >/dev/null; then
    say firewall firewalld
    firewall-cmd --list-ports | lines
    # The file that a change of the zone creates.
    zone=/etc/firewalld/zones/$(sed -n 's/^DefaultZone=//p' /etc/firewalld/firewalld.conf).xml
    [ -e "$zone" ] || [ -e "$zone.old" ] || say zone "$zone"
fi
if has nft; then
    say firewall nftables
    printf '%s\n' "$ruleset" | awk '/^table/ { table = $2 " " $3; next } /^\tchain/ { chain = $2; inside = 0; next }
        /hook input/ { inside = 1; print "chain " table " " chain } /^\t}/ { inside = 0 } inside' | lines
elif grep -q filter /proc/net/ip_tables_names; then
    say firewall iptables
    iptables -S INPUT | lines
fi
say end
}
