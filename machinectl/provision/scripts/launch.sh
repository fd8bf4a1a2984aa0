# Run job.sh of the tar archive on stdin, to its end even if the connection breaks.
# Others can read none of it. Its output is printed when it has ended; its exit status is ours. With $progress, the last line
# of its output goes to stderr while it runs, after "progress: ".
umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL
job=/run/machinectl
lock=$job.lock
command -v flock >/dev/null || { echo "flock (util-linux) is not there" >&2; exit 74; }
# Two jobs must not mix their files. The kernel frees the lock when the job ends. Its holder removes the lock file at the end,
# so check that the locked file still exists.
tries=0
until exec 9>>$lock && [ "$(stat -Lc %i /proc/self/fd/9)" = "$(flock -n 9 && stat -c %i $lock)" ]; do
    tries=$((tries + 1))
    flock -n 9 && [ $tries -lt 100 ] && continue
    { read -r running <$job/pid; } 2>/dev/null
    echo "process ${running:-?} is still at work here" >&2
    exit 75
done
rm -rf $job
mkdir -m 700 $job || exit 74
tar -xmf - -C $job || exit 74
cd $job || exit 74
# Programs that the job starts may outlive it, and must not inherit the lock.
setsid sh -c 'sh job.sh 9>&-; exit $?' >log 2>&1 </dev/null &
# The second line is the process's start time: a PID may be reused.
work=$!
{ echo $work; sed 's/.*) //' /proc/$work/stat | cut -d' ' -f20; } >pid
follower=
if [ "${progress-}" ]; then
    # It ends with the job: a `tail -f` would stay if this shell is killed.
    while kill -0 $work; do
        last=$(tail -q -n 1 log doing | tail -n 1)
        [ "$last" = "${shown-}" ] || printf 'progress: %s\n' "$last" >&3
        shown=$last
        sleep 1 3>&-
    done 3>&2 9>&- >/dev/null 2>&1 &
    follower=$!
fi
wait $work
status=$?
[ -z "$follower" ] || { kill $follower; wait $follower; } 2>/dev/null
cat log
rm -rf $job
rm -f $lock
exit $status
