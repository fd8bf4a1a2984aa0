# Ask the host what its engine is, and what hangs on it: functions that facts.sh and apply.sh begin with. The engine is
# asked on the sockets that it listens on, by whatever there is that can: its client need not be there, and heeds
# DOCKER_… and contexts.

# The processes that may be the engine: docker.service's, and the one that a PID file names.
engine_processes() {
    {
        systemctl show -p MainPID docker.service | sed -n 's/^MainPID=\([1-9]\)/\1/p'
        cat /run/docker.pid
    } 2>/dev/null | awk '!seen[$1]++'
}

# The process that is the engine.
engine_process() {
    for process in $(engine_processes); do
        read -r name <"/proc/$process/comm" && [ "$name" = dockerd ] && echo "$process" && return
    done 2>/dev/null
    return 1
}

# The unix sockets that a process listens on; libnetwork's speaks no HTTP.
listens_on() {
    # shellcheck disable=SC2012  # the names are numbers
    ls -l "/proc/$1/fd" 2>/dev/null | awk '
        NR == FNR { if ($NF ~ /^socket:\[[0-9]+\]$/) held[substr($NF, 9, length($NF) - 9)] = 1; next }
        $4 == "00010000" && $7 in held && $8 ~ "^/" && $8 !~ "/libnetwork/" { print $8 }' - /proc/net/unix
}

# GET /info on a socket.
info_by_curl() { curl -q -f -s -m 5 --noproxy '*' --unix-socket "$1" http://engine/info; }
# shellcheck disable=SC2016  # the variables are perl's
info_by_perl() {
    perl -MIO::Socket::UNIX -e 'alarm 5; $/ = undef; my $engine = IO::Socket::UNIX->new($ARGV[0]) or exit 1;
        print $engine "GET /info HTTP/1.0\r\nHost: engine\r\n\r\n"; print <$engine> =~ s/^.*?\r\n\r\n//sr' "$1"
}
info_by_python() {
    python3 -c 'import socket, sys
engine = socket.socket(socket.AF_UNIX)
engine.settimeout(5)
engine.connect(sys.argv[1])
engine.sendall(b"GET /info HTTP/1.0\r\nHost: engine\r\n\r\n")
sys.stdout.write(engine.makefile("rb").read().partition(b"\r\n\r\n")[2].decode())' "$1"
}
info_by_docker() { env -i "PATH=$PATH" HOME=/ timeout 5 docker -H "unix://$1" info --format '{{json .}}'; }

# What the running engine says of itself, in JSON; nothing where it cannot be asked. The client says something then, too.
engine_info() {
    for socket in $(for process in $(engine_processes); do listens_on "$process"; done); do
        for program in curl perl python docker; do
            info=$(info_by_$program "$socket") || continue
            case $info in *'"ServerVersion":"'[!\"]*) printf '%s\n' "$info" && return ;; esac
        done
    done 2>/dev/null
    return 1
}

# The running units that systemd ends, and restarts, with docker.service, but for its own socket (systemd.unit(5)).
dependents() {
    systemctl show -p RequiredBy -p BoundBy -p ConsistsOf docker.service | sed 's/^[^=]*=//' | tr ' ' '\n' | sort -u |
        while read -r unit; do
            case $unit in '' | docker.socket) ;; *) systemctl -q is-active "$unit" && echo "$unit" ;; esac
        done
}
