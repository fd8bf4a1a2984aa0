# Put files in place and let the engine take them; if it does not come up, or can make no container when it could before,
# put back what was there.
# Files are put in place in the order of the manifest ("MODE PATH" a line, mode "-" to remove), so that the engine can
# start from whatever a power cut leaves; what was there lies in $there until the engine has come up.
# $init; $action (restart, reload, none); $port that must be listened on (in hexadecimal, or empty); $socket of an engine
# that must be asked whether it is ready, as it tells nobody (or empty); $validate, a command that judges the new files;
# $live_restore that a reload must lead to (true, false, or empty); $enable the service (or empty);
# $directories that are removed in the end if they are empty; $afterwards ("MODE PATH" or empty), a file that takes its place
# when the engine has taken the others, and of which it is not told.
# Ends with 0; 3: put back, the engine runs as before; 4: put back, and it does not run; 5: nothing could be written;
# 6: put back, the engine did not take the reload; 7: put back, dockerd refuses the new files. 6 and 7 restart nothing.
# 8: put back, the engine runs as before: it could make no container. If it could not before either, that is said at the end.
umask 077
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
: "${init?}" "${action?}" "${port?}" "${socket?}" "${validate?}" "${live_restore?}" "${enable?}" "${directories?}"
: "${afterwards?}"
own=/etc/docker/machinectl
there=$own/transaction
openrc_log=/var/log/docker.log

# What the engine has logged by now is of an earlier start.
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

tidy() { for directory in $directories; do rmdir "$directory" 2>/dev/null; done; }

# What a rename puts in place must be on the disk before.
flush() { sync "$@" 2>/dev/null || sync; }

# Units that require docker.service, or are part of it, are let run: they would start their containers anew.
restart() {
    systemctl reset-failed docker.service 2>/dev/null
    case $(systemctl is-active docker.service) in
    active | reloading) set -- restart --job-mode=ignore-dependencies ;;
    # Units that hang on it may be stopping, by commands that wait for the engine: it does not wait for them.
    inactive | failed)
        set -- start
        ! systemctl is-active -q docker.socket || set -- start --job-mode=ignore-dependencies
        ;;
    *) set -- restart ;;
    esac
    timeout 300 systemctl "$@" docker.service
}

# Until the engine answers, a reload ends it. One that tells when it is ready (no $socket) is ready by now.
ready() {
    tries=0
    until [ -z "$socket" ] || engine_info >/dev/null || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    socket=''
}

act() {
    [ "$1" != reload ] || ready
    case $init:$1 in
    systemd:restart) restart ;;
    systemd:reload) systemctl reload docker.service 2>/dev/null || kill -HUP "$(engine_process)" ;;
    openrc:restart) rc-service docker restart ;;
    openrc:reload) rc-service docker reload || kill -HUP "$(engine_process)" ;;
    esac
}

# systemd reads its units anew.
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

# Where nothing can ask it, its journal says so.
answering() {
    [ -z "$socket" ] || engine_info >/dev/null || journal | grep -q 'API listen on'
}

# systemd says itself when the engine is ready; OpenRC only that it was started. One that listens may have yet to begin its
# work, and end over that. Of each port without TLS the engine warns for 16 s before it listens anywhere: a minute is enough
# for three.
came_up() {
    tries=0
    since=$(date +%s)
    until active && listening && answering; do
        [ $tries -lt 600 ] && [ $(($(date +%s) - since)) -lt 90 ] && { active || [ $tries -lt 20 ]; } || return 1
        tries=$((tries + 1))
        sleep 0.1
    done
}

# Whether the engine makes containers, if it did before, and has not ended over that.
makes_containers() {
    { [ "$action" = restart ] && [ -z "$no_container" ]; } || return 0
    if refused=$(can_make_containers) || [ $? = 2 ]; then
        came_up
    else
        active || refused=''
        return 1
    fi
}

# What the last reload made of live-restore, which dockerd lists only if it is on.
told_by_journal() {
    reloaded=$(journal | grep 'Reloaded configuration: ' | tail -n 1)
    [ "$reloaded" ] || return
    enabled=false
    ! printf '%s\n' "$reloaded" | grep -q 'live-restore\(-enabled\)*\\*":true' || enabled=true
    echo "\"LiveRestoreEnabled\":$enabled"
}

# A reload answers to nobody: the engine is asked, or its journal where nothing there can ask.
keeps_containers() {
    [ "$live_restore" ] || return 0
    tries=0
    while [ $tries -lt 50 ] && [ $(($(date +%s) - begun)) -lt 60 ]; do
        said=$(engine_info) || said=$(told_by_journal)
        case $said in *"\"LiveRestoreEnabled\":$live_restore"*) return ;; esac
        tries=$((tries + 1))
        sleep 0.1
    done
    case $said in
    '') echo "The engine answers on no unix socket, and its journal does not name live-restore" ;;
    *) echo "The engine still says that live-restore is not $live_restore" ;;
    esac
    return 1
}

journal() {
    if [ "$init" = systemd ]; then
        journalctl --no-pager -q -o cat -u docker.service --since "@$begun" -n 30
    else
        # It may have been rotated.
        [ "$(wc -c <$openrc_log)" -ge "$logged" ] || logged=0
        tail -c +$((logged + 1)) $openrc_log | tail -n 30
    fi 2>/dev/null
}

# Also across file systems a file is there whole or not at all, and not for a moment readable by others.
install_file() {
    cp -p "$1" "$2.machinectl-new" && flush "$2.machinectl-new" && mv -f "$2.machinectl-new" "$2" && return
    rm -f "$2.machinectl-new"
    return 1
}

# Where a file really is: a link stays a link.
real() { if [ -L "$1" ]; then readlink -f "$1"; else printf '%s\n' "$1"; fi; }

# Whose a file is stays so, but for our own, which are root's.
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
    reload) act reload ;;
    *)
        begin_log
        act restart
        ;;
    esac
    port='' came_up || { forget; exit 4; }
    # shellcheck disable=SC2086  # one word for each unit
    [ -z "$running" ] || systemctl --no-block start $running
    forget
    [ "$1" = reload ] && exit 6
    [ "$refused" ] && exit 8
    exit 3
}

running='' refused='' no_container=''
if [ "$1" = recover ]; then
    put_back
    active || act restart
    forget
    active
    exit
fi

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
# What is saved is on the disk before anything is changed, and all that is new before any of it takes its place. To flush
# many files at once takes as long as to flush one.
set -- $there/manifest $there/job.sh
count=0
while read -r mode path; do
    count=$((count + 1))
    [ "$mode" = - ] || chmod "$mode" "$count" || exit 5
    [ -e "$path" ] || continue
    cp -p "$path" "$there/old/$count" || failed "$path cannot be saved"
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
# Several things at once: dockerd's judgement takes half as long as systemd does for its units.
sh -c "${validate:-:}" >validated 2>&1 &
# Why it makes none already, which is not for what is new.
[ "$action" != restart ] || ! active || no_container=$(can_make_containers)
{ [ "$action" != restart ] && ! grep -q '\.conf$' manifest; } || reread
if ! wait $! && ! grep -q 'unknown flag: --validate' validated; then
    cat validated
    # An engine that is not restarted need not take them.
    [ "$action" = none ] || take_back validate
fi
if [ "$action" = none ] || { act "$action" && came_up && keeps_containers && makes_containers && place_afterwards; }; then
    [ -z "$enable" ] || case $init in
    systemd) systemctl -q enable docker.service ;;
    *) rc-update -q add docker default ;;
    esac
    forget
    [ -z "$no_container" ] || echo "no container: $no_container"
    exit 0
fi
if [ "$refused" ]; then
    echo "$refused"
else
    journal
    [ "$init:$action" != systemd:restart ] || systemctl stop --job-mode=ignore-dependencies docker.service 2>/dev/null
fi
take_back "$action"
