# Install files and reload or restart the engine; restore the old files if the engine does not come up, or can no longer
# create a container.
# Files are installed in the order of the manifest ("MODE PATH" a line, mode "-" to remove), so that the engine can start
# after a power cut at any point; $there keeps the old files until the engine has come up.
# $init: systemd or openrc. $action: restart, reload or none. $port: the engine must listen on it (hexadecimal, or empty).
# $validate: a command that checks the new files. $containers: keep, or empty: do not restart an engine with containers if the
# disk is full. $live_restore: its value after the reload (true, false, or empty). $enable: enable the service (or empty).
# $directories: removed at the end if they are empty. $afterwards: "MODE PATH" of a file that replaces one of the others,
# without another reload, once the engine has come up (or empty).
# Exit status: 0; 3: restored, the engine runs again; 4: restored, it does not run, or not answer where it did; 5: the files
# could not be written; 6: restored, the engine did not apply the reload; 7: restored, dockerd refuses the new files (6 and 7
# restart nothing); 8: restored, it runs again: it could not create a container. 9: restored, nothing was restarted: the engine
# has no disk space, and would lose its containers.
# Lines of the output that are a remark begin with "remark: ".
umask 077
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
: "${init?}" "${action?}" "${port?}" "${validate?}" "${live_restore?}" "${enable?}" "${directories?}"
: "${afterwards?}" "${containers?}"
own=/etc/docker/machinectl
there=$own/transaction
openrc_log=/var/log/docker.log
engine_pid=/run/docker.pid

# From here on, the engine's log is about this run.
begin_log() {
    begun=$(date +%s)
    logged=$({ wc -c <$openrc_log; } 2>/dev/null) || logged=0
}
begin_log

failed() {
    echo "$*"
    rm -rf $there
    tidy
    exit 5
}

# A named pipe would stop us here, and a device fill the disk.
save() {
    [ -f "$1" ] || failed "$1 is not a regular file"
    cp -p "$1" "$2" || failed "$1 cannot be saved"
}

tidy() { for directory in $directories; do rmdir "$directory" 2>/dev/null; done; }

# A file must be on the disk before it is renamed into place.
flush() { sync "$@" 2>/dev/null || sync; }

# Units that require docker.service keep running: otherwise they would restart their containers.
restart() {
    systemctl reset-failed docker.service 2>/dev/null
    ! lacks_socket || restart_socket
    case $(systemctl is-active docker.service) in
    active | reloading) set -- restart --job-mode=ignore-dependencies ;;
    # Do not wait for dependent units: those that are stopping may wait for the engine.
    inactive | failed)
        set -- start
        ! systemctl is-active -q docker.socket || set -- start --job-mode=ignore-dependencies
        ;;
    *) set -- restart ;;
    esac
    systemctl "$@" docker.service
}

# Whether docker.socket has nothing to pass on to the engine: it loses its socket when it is masked, also for a while.
lacks_socket() {
    systemctl is-active -q docker.socket && paths=$(systemctl show -p Listen docker.socket |
        sed -n 's|^Listen=\(/.*\) (Stream)$|\1|p' | sed 's|^/var/run/|/run/|') && [ "$paths" ] &&
        ! listens_on 1 | sed 's|^/var/run/|/run/|' | grep -qxF "$paths"
}
# The engine is stopped then. Units that require it keep running.
restart_socket() {
    systemctl stop --job-mode=ignore-dependencies docker.service docker.socket
    systemctl start --job-mode=ignore-dependencies docker.socket
}

# A reload kills an engine that is not ready yet. One that notifies when it is ready ($asks is empty) is ready by now.
ready() {
    tries=0
    until [ -z "$asks" ] || engine_info >/dev/null || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    asks=''
}

act() {
    case $init:$1 in
    systemd:restart) restart ;;
    openrc:restart) rc-service docker restart ;;
    # The signal that the packages' units send. `systemctl reload` waits for other units, and its command may be another.
    *:reload) ready && kill -HUP "$(engine_process)" ;;
    esac
}

# Let systemd read its units again.
reread() { [ "$init" != systemd ] || systemctl daemon-reload; }

active() {
    case $init in
    systemd) systemctl is-active --quiet docker.service ;;
    *) rc-service docker status >/dev/null 2>&1 ;;
    esac
}

listening() {
    [ -z "$port" ] || awk -v "port=:$port" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
        END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

answering() {
    [ -z "$asks" ] || engine_info >/dev/null
}

# systemd reports when the engine is ready; OpenRC only that it was started. An engine that listens may still fail. For each
# port without TLS, it waits 16 s before it listens: a minute is enough for three.
came_up() {
    tries=0
    since=$(date +%s)
    until active && listening && answering; do
        [ $tries -lt 600 ] && [ $(($(date +%s) - since)) -lt 90 ] && { active || [ $tries -lt 20 ]; } || return 1
        tries=$((tries + 1))
        sleep 0.1
    done
}

# Whether the engine answers on the unix sockets where it did before. An engine that came back without its `hosts` may have
# removed the file of docker.socket, which has to be restarted, too; not the units that require them.
answers_as_before() {
    lost=$(silent_sockets)
    [ "$lost" ] || return 0
    [ "$init" = systemd ] || return 1
    restart_socket
    act restart
    port='' came_up && [ -z "$(silent_sockets)" ] || return
    echo "remark: the engine did not answer on $lost any more: docker.socket and docker.service were restarted"
}
silent_sockets() {
    for engine_socket in $sockets; do
        { [ -S "$engine_socket" ] && engine_info_there >/dev/null; } || echo "$engine_socket"
    done
}

# Whether the engine still creates containers, if it did before, and survives that.
makes_containers() {
    { [ "$action" = restart ] && [ -z "$no_container" ]; } || return 0
    if refused=$(can_make_containers) || [ $? = 2 ]; then
        came_up
    else
        active || refused=''
        return 1
    fi
}

# A reload has no result: ask the engine.
keeps_containers() {
    [ "$live_restore" ] || return 0
    tries=0
    while [ $tries -lt 50 ] && [ $(($(date +%s) - begun)) -lt 60 ]; do
        said=$(engine_info)
        case $said in *"\"LiveRestoreEnabled\":$live_restore"*) return ;; esac
        tries=$((tries + 1))
        sleep 0.1
    done
    case $said in
    '') echo "The engine answers on no unix socket" ;;
    *) echo "The engine still says that live-restore is not $live_restore" ;;
    esac
    return 1
}

journal() {
    if [ "$init" = systemd ]; then
        journalctl --no-pager -q -o cat -u docker.service --since "@$begun" -n 30
    else
        # The log may have been rotated.
        [ "$(wc -c <$openrc_log)" -ge "$logged" ] || logged=0
        tail -c +$((logged + 1)) $openrc_log | tail -n 30
    fi 2>/dev/null
}

# The file appears whole or not at all, even across file systems, and is never readable by others.
install_file() {
    cp -p "$1" "$2.machinectl-new" && flush "$2.machinectl-new" && mv -f "$2.machinectl-new" "$2" && return
    rm -f "$2.machinectl-new"
    return 1
}

# Follow links, so that a link stays a link.
real() { if [ -L "$1" ]; then readlink -f "$1"; else printf '%s\n' "$1"; fi; }

# Keep a file's owner; our own files belong to root.
keep_owner() {
    case $1 in $own/*) return ;; esac
    [ ! -e "$1" ] || chown "$(stat -c %u:%g "$1")" "$2"
}

place_afterwards() {
    [ "$afterwards" ] || return 0
    path=$(real "${afterwards#* }")
    case $afterwards in "- "*) rm -f "$path"; return ;; esac
    chmod "${afterwards%% *}" afterwards && keep_owner "$path" afterwards && install_file afterwards "$path" && return
    echo "$path cannot be written"
    return 1
}

# After a reload, files that the engine has read at its start keep their times: otherwise facts.sh would say that somebody
# has changed them since.
keep_times() {
    { [ "$action" = reload ] && [ -e "$engine_pid" ]; } || return 0
    count=0
    while read -r mode path; do
        count=$((count + 1))
        { [ -e "$there/old/$count" ] && [ -e "$path" ]; } || continue
        [ "$there/old/$count" -nt "$engine_pid" ] || touch -r "$there/old/$count" "$path"
    done <$there/manifest
}

put_back() {
    count=$(wc -l <$there/manifest)
    while [ "$count" -gt 0 ]; do
        path=$(sed -n "${count}s/^[^ ]* //p" $there/manifest)
        if [ -e "$there/old/$count" ]; then install_file "$there/old/$count" "$path"; else rm -f "$path"; fi
        rm -f "$path.machinectl-new"
        count=$((count - 1))
    done
    reread
}

forget() {
    mv $there $there.done && rm -rf $there.done
    tidy
}

unwritten() {
    put_back
    forget
    failed "$1 cannot be written"
}

take_back() {
    echo
    put_back
    case $1 in
    validate) forget; exit 7 ;;
    full) forget; exit 9 ;;
    reload) act reload ;;
    *)
        begin_log
        act restart
        ;;
    esac
    { port='' came_up && answers_as_before; } || { forget; exit 4; }
    # shellcheck disable=SC2086  # one word for each unit
    [ -z "$running" ] || systemctl --no-block start $running
    forget
    [ "$1" = reload ] && exit 6
    [ "$refused" ] && exit 8
    exit 3
}

running='' refused='' no_container='' sockets=''
if [ "$1" = recover ]; then
    put_back
    active || act restart
    forget
    active
    exit
fi

# Ask an engine whether it is ready if it does not notify, unless it runs and cannot be asked.
asks=''
case $(systemctl show -p Type docker.service 2>/dev/null) in
*notify*) ;;
*) { active && ! engine_info >/dev/null; } || asks=yes ;;
esac

rm -rf $there $there.done
for directory in /etc/docker /etc/systemd/system/docker.service.d; do
    grep -q " $directory/" manifest || continue
    [ -d $directory ] || mkdir -m 755 $directory || failed "$directory cannot be made"
done
[ -d $own ] || mkdir -m 700 $own || failed "$own cannot be made"
{ mkdir $there $there/old && cp job.sh $there; } || failed "$own cannot be written"
while read -r mode path; do
    file=$(real "$path") || failed "$path leads nowhere" >&2
    echo "$mode $file" || failed "$own cannot be written" >&2
done <manifest >$there/manifest
# Flush the old files before anything is changed, and all new files before any is renamed. Flushing many files at once takes
# as long as flushing one.
set -- $there/manifest $there/job.sh
count=0
while read -r mode path; do
    count=$((count + 1))
    [ "$mode" = - ] || chmod "$mode" "$count" || exit 5
    [ -e "$path" ] || continue
    save "$path" "$there/old/$count"
    set -- "$@" "$there/old/$count"
done <$there/manifest
flush "$@"
echo applying >$there/phase || failed "$own cannot be written"

set -- $there/phase
count=0
while read -r mode path; do
    count=$((count + 1))
    [ "$mode" != - ] || continue
    { cp -p "$count" "$path.machinectl-new" && keep_owner "$path" "$path.machinectl-new"; } || unwritten "$path"
    set -- "$@" "$path.machinectl-new"
done <$there/manifest
flush "$@"
while read -r mode path; do
    if [ "$mode" = - ]; then rm -f "$path"; else mv -f "$path.machinectl-new" "$path"; fi || unwritten "$path"
done <$there/manifest

[ "$init:$action" != systemd:restart ] || running=$(dependents)
# In parallel: dockerd's check, and a container, take half as long as systemd's daemon-reload.
sh -c "${validate:-:}" >validated 2>&1 &
checked=$!
# If the engine cannot create containers already, the new files are not the reason.
{ [ "$action" != restart ] || ! active || can_make_containers; } >no_container &
tried=$!
{ [ "$action" != restart ] && ! grep -q '\.conf$' manifest; } || reread
wait $tried
no_container=$(cat no_container)
if ! wait $checked && ! grep -q 'unknown flag: --validate' validated; then
    # An engine that is not restarted does not read the files.
    if [ "$action" = none ]; then sed 's/^/remark: dockerd refuses this configuration: /' validated; else
        cat validated
        take_back validate
    fi
fi
if [ "$containers" = keep ]; then
    case $no_container in *'no space left on device'*) echo "$no_container"; take_back full ;; esac
fi
[ "$action" != restart ] || sockets=$(for engine_socket in $(engine_sockets); do
    [ -S "$engine_socket" ] && engine_info_there >/dev/null && echo "$engine_socket"
done)
if [ "$action" = none ] || {
    act "$action" && came_up && answers_as_before && keeps_containers && makes_containers && place_afterwards
}; then
    [ -z "$enable" ] || case $init in
    systemd) systemctl -q enable docker.service ;;
    *) rc-update -q add docker default ;;
    esac
    keep_times
    forget
    [ -z "$no_container" ] ||
        echo "remark: the engine cannot create a container, and could not before its restart: $no_container"
    exit 0
fi
if [ "$refused" ]; then
    echo "$refused"
else
    journal
    [ "$init:$action" != systemd:restart ] || systemctl stop --job-mode=ignore-dependencies docker.service 2>/dev/null
fi
take_back "$action"
