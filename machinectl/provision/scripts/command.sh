# Run $command.
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
umask 022
: "${command?}"
eval "$command"
