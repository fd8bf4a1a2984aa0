# Whether the engine can make a container: functions for what restarts it. They need engine.sh, and write files where they run.

: "${engine_program=}" "${engine_socket=}" "${info=}"

# The names of the container and of its image, which is empty; nothing runs in it.
trial=machinectl-trial

# Both go, also those that an earlier run has left because it was cut short. Nothing is forced, and no volumes go: ours
# never ran and has none, and one of this name that runs is somebody else's.
remove_trial() {
    if [ "$engine_program" = docker ]; then
        engine_client rm $trial
        engine_client rmi $trial
    else
        "engine_by_$engine_program" "$engine_socket" DELETE "/containers/$trial" ''
        "engine_by_$engine_program" "$engine_socket" DELETE "/images/$trial" ''
    fi >/dev/null 2>&1
}

# Images that are there have volumes that would be filled, and may be of another architecture: this one never is.
make_trial() {
    head -c 1024 /dev/zero >trial.tar
    if [ "$engine_program" = docker ]; then
        engine_client import trial.tar $trial && engine_client create --name $trial $trial true
    else
        printf '{"Image": "%s", "Cmd": ["true"]}' $trial >trial.json
        "engine_by_$engine_program" "$engine_socket" POST "/images/create?fromSrc=-&repo=$trial" application/x-tar trial.tar &&
            "engine_by_$engine_program" "$engine_socket" POST "/containers/create?name=$trial" application/json trial.json
    fi 2>&1
}

# The program by which the engine has containers run where nothing else is asked, if it is not there: it looks for that
# when one starts.
missing_runtime() {
    runtime=$(printf '%s\n' "$info" | sed -n 's/.*"DefaultRuntime":"\([^"]*\)".*/\1/p')
    program=$(printf '%s\n' "$info" | sed -n "s|.*\"$runtime\":{\"path\":\"\([^\"]*\)\".*|\1|p")
    # The name of a shim: https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md
    : "${program:=$(printf '%s\n' "$runtime" | sed -n 's/^io\.containerd\.\([^.]*\)\.\([^.]*\)$/containerd-shim-\1-\2/p')}"
    [ "$program" ] && ! command -v "$program" >/dev/null && echo "$program"
}

# 0 if the engine can make a container; 1 if it cannot: why is printed; 2 if nothing here can ask it.
can_make_containers() (
    engine_info >/dev/null || exit 2
    # It looks for a logging driver that it has not for 15 s.
    # shellcheck disable=SC2034  # engine.sh's
    engine_seconds=60
    if program=$(missing_runtime); then
        echo "the default runtime's program $program is not there"
        exit 1
    fi
    remove_trial
    made=0
    said=$(make_trial) || made=1
    remove_trial
    [ $made = 0 ] && exit
    reason=$(printf '%s\n' "$said" | sed -n -e 's/^Error response from daemon: //p' -e 's/.*"message":"//p' | tail -n 1)
    printf '%s\n' "${reason:-${said:-it gives no answer}}" | sed -e 's/"[},].*//' -e 's/\\"/"/g'
    exit 1
)
