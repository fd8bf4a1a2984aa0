# Run one command of the host's own, $command.
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
umask 022
: "${command?}"
eval "$command"
