# Functions that check whether the engine can create a container. They need engine.sh, and write to the working directory.

: "${engine_program=}" "${engine_socket=}"

# The name of the container and of its empty image; it is never started.
trial=machinectl-trial

# Remove both. Not by force and without volumes: ours never ran and has none, so a running
# container of this name is not ours.
remove_trial() {
    case $engine_program in
    docker)
        engine_client rm $trial
        engine_client rmi $trial
        ;;
    *)
        engine_by_perl "$engine_socket" DELETE "/containers/$trial" ''
        engine_by_perl "$engine_socket" DELETE "/images/$trial" ''
        ;;
    esac >/dev/null 2>&1
}

# Use an own image: others may have volumes, which would be filled, or another architecture.
make_trial() {
    head -c 1024 /dev/zero >trial.tar
    if [ "$engine_program" = docker ]; then
        engine_client import trial.tar $trial && engine_client create --name $trial $trial true
    else
        printf '{"Image": "%s", "Cmd": ["true"]}' $trial >trial.json
        engine_by_perl "$engine_socket" POST "/images/create?fromSrc=-&repo=$trial" application/x-tar trial.tar &&
            engine_by_perl "$engine_socket" POST "/containers/create?name=$trial" application/json trial.json
    fi 2>&1
}

# Exit status: 0 if the engine can create a container; 1 if it cannot, with the reason; 2 if nothing here can ask it.
can_make_containers() (
    engine_info >/dev/null || exit 2
    # The engine searches 15 s for a missing logging driver.
    # shellcheck disable=SC2034  # engine.sh's
    engine_seconds=60
    made=0
    # An interrupted run may have left its own.
    said=$(make_trial) || { remove_trial; said=$(make_trial); } || made=1
    remove_trial
    [ $made = 0 ] && exit
    reason=$(printf '%s\n' "$said" | sed -n -e 's/^Error response from daemon: //p' -e 's/.*"message":"//p' | tail -n 1)
    printf '%s\n' "${reason:-${said:-the engine does not answer}}" | sed -e 's/"[},].*//' -e 's/\\"/"/g'
    exit 1
)
