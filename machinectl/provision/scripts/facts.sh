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
# Those of a text without empty lines, however long.
text_lines() {
    set -f
    IFS='
'
    for line in $1; do printf '|%s\n' "$line"; done
    set +f
    unset IFS
}
has() { command -v "$1" >/dev/null; }
# Whether a process runs a program. Its name proves nothing: anybody can choose it.
runs() { program=$(readlink "/proc/$1/exe"); case ${program##*/} in "$2"*) return 0 ;; esac; return 1; }

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

# A host that has just booted starts its engine.
tries=0
while has systemctl && jobs=$(systemctl list-jobs --no-legend --full); do
    case $jobs in *' docker.service '*) [ $tries -lt $((patience * 5 / 4)) ] || break ;; *) break ;; esac
    tries=$((tries + 1))
    sleep 0.2
done

# The units, their files, and what these and daemon.json name. Each systemctl takes 10 ms of CPU, and as much of systemd's: ask
# once, and let one awk read all. It first prints what the shell needs to know, to a line ".", and then facts.
environment='' pipe=''
has systemctl || environment=/etc/conf.d/docker
# Nobody may ever write to a named pipe.
[ ! -p /etc/docker/daemon.json ] || pipe=/etc/docker/daemon.json
configuration=$(if has systemctl; then
    systemctl show docker.service docker.socket '*.path' -p Id -p Names -p ControlGroup -p LoadState \
        -p ActiveState -p UnitFileState -p FragmentPath -p DropInPaths -p NeedDaemonReload -p MainPID -p RequiredBy -p BoundBy \
        -p ConsistsOf -p Paths -p Triggers -p Listen
fi | awk -v environment="$environment" -v pipe="$pipe" '
    # The value of a flag, perhaps a quoted one with spaces. No comment has flags.
    function value(line, flag,    begin, quote, rest) {
        begin = index(line, "--" flag)
        if (!begin || substr(line, 1, begin) ~ /#/) return ""
        quote = substr(line, begin - 1, 1)
        rest = substr(line, begin + 2 + length(flag))
        if (!sub(/^["\047]?[= ]/, "", rest)) return ""
        if (rest ~ /^["\047]/) { quote = substr(rest, 1, 1); rest = substr(rest, 2) }
        sub(quote ~ /["\047]/ ? quote ".*" : "[ \"\047].*", "", rest)
        return rest
    }
    function tell(name, path) { if (path != "") known = known name " " path "\n" }
    function key(line, name,    text) {
        if (!match(line, "\"" name "\"[^\"]*\"[^\"]*\"")) return ""
        text = substr(line, RSTART, RLENGTH - 1)
        sub(/.*"/, "", text)
        return text
    }
    # Empty lines separate the units.
    { facts = facts "|" $0 "\n" }
    !NF { unit++ }
    !unit && /^MainPID=/ { tell("main_pid", substr($0, 9)) }
    !unit && /^(RequiredBy|BoundBy|ConsistsOf)=/ { sub(/^[^=]*=/, ""); tell("related", $0) }
    !unit && /^(FragmentPath|DropInPaths)=/ { sub(/^[^=]*=/, ""); files = files " " $0 }
    END {
        if (facts != "") facts = "\n@units\n" facts "\n@unit\n"
        count = split(files, path, " ")
        for (i = 1; i <= count; i++) {
            facts = facts "|# " path[i] "\n"
            while ((getline line < path[i]) > 0) {
                facts = facts "|" line "\n"
                if (sub(/^EnvironmentFile=-?/, "", line)) environment = environment " " line
                tell("cert", value(line, "tlscert"))
                tell("ca", value(line, "tlscacert"))
                tell("root", value(line, "data-root"))
                if (value(line, "config-file") != "") by_unit = value(line, "config-file")
            }
        }
        # Only the lines that may hold options of dockerd: others may hold passwords.
        count = split(environment, path, " ")
        for (i = 1; i <= count; i++) {
            if ((getline line < path[i]) < 0) continue
            close(path[i])
            facts = facts "\n@environment " path[i] "\n"
            while ((getline line < path[i]) > 0) {
                if (line ~ /^[A-Za-z_]*(OPT|ARG|REGISTRY)/) facts = facts "|" line "\n"
                if (value(line, "config-file") != "") named = value(line, "config-file")
            }
        }
        if (by_unit != "") named = by_unit
        if (named == "") named = "/etc/docker/daemon.json"
        tell("config", named)
        while (named != pipe && (getline line < named) > 0) {
            tell("ca", key(line, "tlscacert"))
            tell("cert", key(line, "tlscert"))
            tell("root", key(line, "data-root"))
            tell("root", key(line, "graph"))
        }
        print known "."
        print facts
    }')
main_pid='' related='' authorities='' served='' roots=/var/lib/docker
while read -r name path; do
    # shellcheck disable=SC2034  # engine.sh uses $main_pid
    case $name in
    .) break ;;
    main_pid) main_pid=$path ;;
    related) related="$related $path" ;;
    config) config=$path ;;
    ca) authorities="$authorities $path" ;;
    cert) served="$served $path" ;;
    root) roots="$roots $path" ;;
    esac
done <<END
$configuration
END
printf '%s\n' "$configuration"
# shellcheck disable=SC2086  # one word for each unit
[ -z "$related" ] || for dependent in $(running_units $related); do say dependent "$dependent"; done

# Ask the engine in parallel: that takes as long as all the rest.
{ has dockerd && engine_info; } | {
exec 3<&0 </dev/null

while read -r name _ effective _; do [ "$name" = Uid: ] && say uid "$effective" && break; done </proc/self/status
now=$(date +%s)
say clock "$now"
say arch "$(uname -m)"
say os
for release in /etc/os-release /usr/lib/os-release; do
    [ -r $release ] && while IFS= read -r line || [ "$line" ]; do printf '|%s\n' "$line"; done <$release && break
done
if [ -d /run/systemd/system ]; then say init systemd; elif has rc-service; then say init openrc; else say init other; fi
has systemctl || {
    rc-service docker status >/dev/null && say openrc started
    rc-update show default | grep -q '^ *docker ' && say openrc enabled
}
for directory in /etc/docker /etc/docker/machinectl /etc/systemd/system/docker.service.d; do
    [ -d $directory ] && say directory $directory
done
while read -r device destination _; do
    [ "$destination" = 00000000 ] && read -r address <"/sys/class/net/$device/address" && say mac "$address" && break
done </proc/net/route

# The user who became root, and whether they may use the engine.
login=${SUDO_USER:-${DOAS_USER:-}}
[ "$login" ] && [ "$(id -u "$login")" != 0 ] && say login "$login" "$(id -nG "$login")"
group=0
if [ -S /var/run/docker.sock ]; then
    group=$(stat -Lc '%G %g' /var/run/docker.sock)
    say socket-group "${group% *}"
    # Another program may answer there. A socket that nobody listens on is replaced.
    has dockerd || { grep -q " \(/var\)\{0,1\}$(readlink -f /run/docker.sock)$" /proc/net/unix && say impostor /run/docker.sock; }
    group=${group##* }
fi

# The engine, and what looks like one.
has dockerd && say dockerd "$(command -v dockerd)"
# The packages of the last installation, until the next boot.
[ -f /run/machinectl.new-packages ] && read -r packages </run/machinectl.new-packages && say new_packages "$packages"
say packages
if has dpkg-query; then
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' docker.io docker-ce moby-engine docker-engine \
        podman-docker containerd.io containerd runc docker-cli rootlesskit |
        while read -r status package version; do case $status in ?i*) echo "|$package $version" ;; esac; done
elif has rpm; then
    rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\n' docker-ce moby-engine docker docker-engine podman-docker \
        containerd.io containerd runc |
        grep -v ' not installed' | lines
elif has pacman; then pacman -Q docker podman-docker | lines
elif has apk; then apk info -v docker podman-docker 2>/dev/null | sed -n 's/^\([a-z-]*\)-\([0-9]\)/|\1 \2/p'
fi
docker=$(command -v docker)
has dockerd || { [ "$docker" ] && grep -q podman "$docker" && say impostor "$docker"; }
{ [ -e /snap/bin/docker ] || [ -d /var/snap/docker ]; } && say snap

# Engines, shims of containers, and docker commands that a restart would cut off. One ls is quicker than a readlink for each
# process, but its output only gives candidates: anybody can name a file as they like.
# shellcheck disable=SC2012
ls -l /proc/[0-9]*/exe | awk -F/ -v group="$group" '
    $NF !~ /^(dockerd|containerd-shim|docker$|docker-compose$)/ || $(NF - 1) == "cli-plugins" { next }
    {
        split($NF, name, " "); uid = real = groups = cgroup = ""
        while ((getline line < ("/proc/" $3 "/status")) > 0) {
            split(line, word, /[ \t]+/)
            if (word[1] == "Uid:") { real = word[2]; uid = word[3] }
            if (sub(/^(Gid|Groups):/, "", line)) groups = groups line " "
        }
        while ((getline line < ("/proc/" $3 "/cgroup")) > 0) cgroup = line
        close("/proc/" $3 "/status")
        close("/proc/" $3 "/cgroup")
        gsub(/[ \t]+/, " ", groups)
        # Only processes that may use the socket count.
        if (name[1] ~ /^docker(-compose)?$/ && uid != 0 && !index(groups " ", " " group " ")) next
        if (name[1] ~ /^containerd-shim/ && real != 0) next
        print name[1], $3, uid, cgroup
    }' | {
    shims='' own='' here=$(readlink /proc/self/ns/pid)
    while read -r program process uid cgroup; do
        case $program in
        dockerd*) runs "$process" dockerd && say process "$process" "$uid" "$cgroup" ;;
        containerd-shim*)
            shims="$shims /proc/$process/cmdline"
            # systemd may stop its container together with docker.service.
            case $cgroup in */docker.service | */docker.service/*) own=1 ;; esac ;;
        *)
            # The verb, and the system unit that started it. Those in containers have another engine.
            runs "$process" docker && [ "$(readlink "/proc/$process/ns/pid")" = "$here" ] || continue
            verb=$(tr '\0' '\n' <"/proc/$process/cmdline" |
                grep -x -m 1 -E 'run|start|up|compose|attach|exec|logs|build|buildx|pull|push|events|stats|wait')
            unit=$(echo "$cgroup" | sed -n 's|^.*:/system\.slice/\(.*/\)\{0,1\}\([^/]*\.service\).*|\2|p')
            [ "$verb" ] && say client "$process" "$verb" "$unit" ;;
        esac
    done
    [ "$own" ] && say shims
    # shellcheck disable=SC2086  # one word for each file
    [ "$shims" ] && tail -n +1 /dev/null $shims | tr '\0' ' ' | awk '
        /^==> \/proc\// { split($2, path, "/"); next }
        / -namespace moby / && match($0, / -id [0-9a-f]+/) { print "\n@container " substr($0, RSTART + 5, RLENGTH - 5) " " path[3] }'
}
info=$(cat <&3)
if [ "$info" ]; then
    say info
    text_lines "$info"
    root=${info#*'"DockerRootDir":"'}
    set -- "${root%%\"*}"/containers/*/config.v2.json
    # The containers' names. Those that have restarted by themselves, and were started in the last ten minutes, are looping.
    # Those that have ended by themselves, with success, are finished.
    [ -e "$1" ] && awk -v since="$(date -u -d "@$((now - 600))" +%Y-%m-%dT%H:%M:%S)" '
        match($0, /"Name":"\/[A-Za-z0-9_.-]*","Driver":/) {
            name = substr($0, RSTART + 9, RLENGTH - 20)
            loops = match($0, /"RestartCount":[1-9]/) && match($0, /"StartedAt":"[^"]*/) && substr($0, RSTART + 13, 19) > since
            ends = /"Running":false/ && /"ExitCode":0,/ && /"HasBeenManuallyStopped":false/
            split(FILENAME, path, "/containers/")
            print "\n@known", substr(path[2], 1, 64), name, loops ? "looping" : ends ? "finished" : ""
        }' "$@"
elif has dockerd; then
    say version
    dockerd --version | lines
fi
[ -s /var/lib/docker/swarm/docker-state.json ] && say swarm

# Whether daemon.json or clients.pem was changed since the engine's start.
if engine=$(engine_process); then
    # The engine writes its PID file when it starts.
    [ "$config" -nt /run/docker.pid ] && say edited
    [ /etc/docker/machinectl/clients.pem -nt /run/docker.pid ] && say clients-edited
fi

# Its configuration.
say config "$config"
[ -e "$config.before-machinectl" ] && say backup "$config.before-machinectl"
read -r revision </etc/docker/machinectl/revision && say revision "$revision"
read -r phase </etc/docker/machinectl/transaction/phase && say transaction "$phase"

# Files with their content, and the sums of others. Links are followed: a link itself has mode 777. Names with control characters
# are left out.
contents='' count=0
set --
for path in "$config" /etc/systemd/system/docker.service.d/*machinectl.conf /etc/docker/machinectl/ca.pem \
    /etc/docker/machinectl/clients.pem : /etc/docker/machinectl/server.pem /etc/docker/machinectl/server-key.pem \
    /etc/docker/machinectl/environment /etc/docker/machinectl/revision $authorities $served; do
    [ "$path" = : ] && contents=$# && continue
    [ -f "$path" ] && case $path in *[[:cntrl:]]*) ;; *) set -- "$@" "$path" ;; esac
done
[ $# = 0 ] || stat -Lc '%s %a %u %g %n' "$@" | { while read -r size mode uid gid path; do
    count=$((count + 1))
    [ $count -le "$contents" ] && say file "$mode $uid $gid" "$path" && if [ "$size" -le 1048576 ]; then
        text_lines "$(base64 <"$path")"
    else
        text_lines "$(head -c 1048577 <"$path" | base64)"
    fi
    modes="$modes$mode $uid $gid $path
"
done
    printf '%s\n' "$modes"; sha256sum "$@"; } | awk '
        /^[@|]/ { print; next }
        length($1) < 64 { name = $0; sub(/^[^ ]* [^ ]* [^ ]* /, "", name); mode[name] = $1 " " $2 " " $3; next }
        substr($0, 67) in mode { print "\n@sum " mode[substr($0, 67)] " " $1 " " substr($0, 67) }'
# The CAs in a list of the host's owner, which may hold a key, too.
for path in $authorities; do
    case $path in /etc/docker/machinectl/*) continue ;; esac
    [ -f "$path" ] && say trusted && text_lines "$(sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$path" |
        head -c 1048576 | base64)"
done
# The engine reports its data directory with links followed.
for root in $roots; do
    followed=$(cd -P "$root" && pwd -P) && [ "$followed" != "${root%/}" ] && say link "${root%/}" "$followed"
    # A Swarm node's containers stop with its engine. These are not restarted, neither by the engine nor by the Swarm.
    [ -s "$root/swarm/docker-state.json" ] && grep -lE '"RestartPolicy":\{"Name":"(no)?"' "$root"/containers/*/hostconfig.json |
        while read -r hostconfig; do
            container=${hostconfig%hostconfig.json}config.v2.json
            grep -q '"State":{"Running":true' "$container" && ! grep -q '"com.docker.swarm.task.id":' "$container" &&
                say once "$(sed -n 's/.*"Name":"\/\([A-Za-z0-9_.-]*\)","Driver":.*/\1/p' "$container")"
        done
done
# Where an engine that starts may find no room: it and containerd write a few files for each container, and their databases grow
# by pages. Some file systems have no limit of inodes.
# shellcheck disable=SC2086  # one word for each directory
stat -f -c '%a %S %c %d %n' /run /var/lib/containerd $roots | while read -r blocks size limit left path; do
    { [ $((blocks * size)) -lt 4194304 ] || { [ "$limit" -gt 0 ] && [ "$left" -lt 64 ]; }; } && say full "$path"
done

# Who listens on the engine's port: the engine, or 0 for another program.
awk -v "port=:$(printf %04X "$port")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
    /proc/net/tcp /proc/net/tcp6 | while read -r inode; do
    # shellcheck disable=SC2010  # the names are numbers
    if ls -l "/proc/$engine/fd" | grep -q -- "-> socket:\[$inode\]$"; then say listener "$engine"; else say listener 0; fi
done

# Firewalls that may block the engine's port.
[ -f /etc/ufw/ufw.conf ] && grep -q '^ENABLED=yes' /etc/ufw/ufw.conf && say firewall ufw &&
    grep '^### tuple ###' /etc/ufw/user.rules | lines
if has firewall-cmd && firewall-cmd --state >/dev/null; then
    say firewall firewalld
    firewall-cmd --list-ports | lines
    # The file that a change of the zone creates.
    zone=/etc/firewalld/zones/$(sed -n 's/^DefaultZone=//p' /etc/firewalld/firewalld.conf).xml
    [ -e "$zone" ] || [ -e "$zone.old" ] || say zone "$zone"
fi
if has nft; then
    say firewall nftables
elif grep -q filter /proc/net/ip_tables_names; then
    say firewall iptables
    iptables -S INPUT | lines
fi
# Without a userland proxy, a container's port is forwarded by NAT and has no listener.
{ has nft && nft list ruleset; has iptables && iptables -t nat -S; } | awk -v port="$port" '
    tolower($0) ~ "dport " port "( .*)? dnat( |$)" { taken = 1 }
    /^table/ { table = $2 " " $3; next } /^\tchain/ { chain = $2; inside = 0; next }
    /hook input/ { inside = 1; print "|chain " table " " chain } /^\t}/ { inside = 0 } inside { print "|" $0 }
    END { if (taken) print "\n@listener 0" }'
say end
}
