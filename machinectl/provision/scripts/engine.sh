# Functions for facts.sh and apply.sh that ask the engine, on the sockets that it listens on, with any program that can: its
# client may be missing, and obeys DOCKER_… variables and contexts.

# The processes that may be the engine: docker.service's, which facts.sh knows as $main_pid, and the PID file's.
engine_processes() {
    unit_process=${main_pid-$(systemctl show -p MainPID docker.service | sed 's/^MainPID=//')}
    # The file has no line break, so that read fails when it has read it.
    file_process=
    read -r file_process </run/docker.pid || :
    [ "${unit_process:-0}" = 0 ] || echo "$unit_process"
    [ -z "$file_process" ] || [ "$file_process" = "$unit_process" ] || echo "$file_process"
} 2>/dev/null

# The engine's process.
engine_process() {
    for process in $(engine_processes); do
        read -r name <"/proc/$process/comm" && [ "$name" = dockerd ] && echo "$process" && return
    done 2>/dev/null
    return 1
}

# The unix sockets that a process listens on, without those of the engine's that do not speak its API: libnetwork's and the
# Swarm's speak another protocol, the one for metrics knows no /info. Those that it opened last come first: nobody may ever
# answer at docker.socket's, which systemd opens, if the engine's flags name another one.
listens_on() {
    # shellcheck disable=SC2012  # the names are numbers
    ls -l "/proc/$1/fd" 2>/dev/null | awk '
        NR == FNR { if ($NF ~ /^socket:\[[0-9]+\]$/) held[substr($NF, 9, length($NF) - 9)] = $(NF - 2); next }
        $4 == "00010000" && $7 in held && $8 ~ "^/" && $8 !~ "/libnetwork/|/(metrics|swarm/control)[.]sock$" {
            place[held[$7]] = $8
            if (held[$7] + 0 > last) last = held[$7] + 0
        }
        END { for (; last >= 0; last--) if (last in place) print place[last] }' - /proc/net/unix
}

# Ask on a socket: SOCKET METHOD PATH [TYPE FILE]. Each prints the body of the answer, and fails unless that is a success; with
# 142 (perl) or 124 (docker) if there is none in time.
engine_seconds=5
# The module Socket, because IO::Socket takes longer to load than an answer.
# shellcheck disable=SC2016  # the variables are perl's
engine_by_perl() {
    perl -MSocket -e 'my ($socket, $method, $path, $type, $file, $seconds) = @ARGV;
        alarm $seconds; $/ = undef; open my $input, "<", $file or exit 1; my $body = <$input> // "";
        socket(my $engine, AF_UNIX, SOCK_STREAM, 0) or exit 1;
        connect($engine, pack_sockaddr_un($socket)) or exit 1;
        syswrite $engine, "$method $path HTTP/1.0\r\nHost: engine\r\nContent-Type: $type\r\n" .
            "Content-Length: " . length($body) . "\r\n\r\n$body";
        my ($head, $answer) = split /\r\n\r\n/, <$engine>, 2;
        print $answer; exit $head !~ /^\S+ 2/' "$1" "$2" "$3" "$4" "${5:-/dev/null}" "$engine_seconds"
}
# Docker's client, on the engine's socket.
engine_client() { env -i "PATH=$PATH" HOME=/ timeout "$engine_seconds" docker -H "unix://$engine_socket" "$@"; }
engine_by_docker() { engine_client info --format '{{json .}}'; }

# Print the running engine's info as JSON, or nothing if it cannot be asked (the client prints JSON even then). Sets
# $engine_socket and $engine_program to what worked.
engine_info() {
    for engine_socket in $(engine_sockets); do
        engine_info_there || case $? in 1) continue ;; *) break ;; esac
        return
    done
    return 1
}
engine_sockets() { for process in $(engine_processes); do listens_on "$process"; done; }
# The same on $engine_socket. An engine that waits for something, as for its Swarm's leader, keeps all programs waiting: 2.
engine_info_there() {
    for engine_program in perl docker; do
        info=$(engine_by_$engine_program "$engine_socket" GET /info '') || {
            case $? in 124 | 142) return 2 ;; esac
            continue
        }
        case $info in *'"ServerVersion":"'[!\"]*) printf '%s\n' "$info" && return ;; esac
    done 2>/dev/null
    return 1
}

# The running units that systemd stops or restarts with docker.service, except docker.socket (systemd.unit(5)).
dependents() {
    # shellcheck disable=SC2046  # one word for each unit
    running_units $(systemctl show -p RequiredBy -p BoundBy -p ConsistsOf docker.service | sed 's/^[^=]*=//')
}
running_units() {
    for dependent; do
        case $dependent in docker.socket) ;; *) systemctl -q is-active "$dependent" && echo "$dependent" ;; esac
    done
}
