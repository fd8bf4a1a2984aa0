# Limit each call of systemctl, which waits without end behind another unit's job. Say what it waits for: while a job of
# ours runs (launch.sh shows the file `doing`), and when the time is over.
! command -v systemctl >/dev/null || systemctl() {
    case " $* " in
    *' start '* | *' stop '* | *' restart '* | *' --now '*)
        echo "Waiting for systemctl $*" >doing
        timeout "${systemctl_seconds:-300}" systemctl "$@"
        set -- $? "$@"
        rm doing
        ;;
    *)
        timeout 60 systemctl "$@"
        set -- $? "$@"
        ;;
    esac
    [ "$1" = 124 ] || return "$1"
    shift
    echo "systemctl $* has not ended in time; systemd's jobs:" \
        "$(timeout 10 systemctl list-jobs --no-legend | tr -s ' \n' ' ')"
    return 124
}
