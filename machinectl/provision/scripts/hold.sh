# Hold this host's $lock for $who until the SSH connection that runs this ends.
# Wait $patience seconds for another holder. The same $token is the same run on another connection. The same $seat is an
# earlier run of the same user and computer, whose connection is dead: its holder is killed.
# Exit status: 0; 75 if another holder remains, whose name and process are printed.
: "${lock?}" "${who?}" "${token?}" "${seat?}" "${patience?}"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
# launch.sh reports a missing flock.
command -v flock >/dev/null || exit 0
# The SSH server's process for this connection, and its start time: a PID may be reused.
connection=$$
until read -r program <"/proc/$connection/comm" || exit 0; case $program in sshd* | dropbear*) true ;; *) false ;; esac; do
    connection=$(sed 's/.*) //' "/proc/$connection/stat" | cut -d' ' -f2)
    [ "${connection:-1}" -gt 1 ] || exit 0
done
began=$(sed 's/.*) //' "/proc/$connection/stat" | cut -d' ' -f20)
umask 077
tries=0
while exec 9>>"$lock" || exit 0; do
    # The last holder may have removed the file after we opened it.
    flock -n 9 && [ /proc/self/fd/9 -ef "$lock" ] && break
    process='' run='' other=''
    { read -r _; read -r process; read -r run; read -r other; } <"$lock"
    [ "$run" != "$token" ] || exit 0
    [ "$other" != "$seat" ] || [ -z "$process" ] || kill "$process" 2>/dev/null
    [ $tries -lt $((patience * 5)) ] || { head -n 2 "$lock"; exit 75; }
    tries=$((tries + 1))
    sleep 0.2 || sleep 1
done
# It inherits the lock.
# shellcheck disable=SC2016  # it has variables of its own
lock=$lock setsid sh -c '
    while read -r stat <"/proc/$1/stat" && set -- "$1" "$2" ${stat##*) } && [ "${22}" = "$2" ]; do
        set -- "$1" "$2"
        sleep 0.2 || sleep 1
    done
    rm -f "$lock"' sh "$connection" "$began" </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- &
printf '%s since %s\n' "$who" "$(date -u '+%Y-%m-%d %H:%M:%S UTC')" >"$lock"
printf '%s\n' "$!" "$token" "$seat" >>"$lock"
