# Remove packages with $remove, and name those of $along that stay.
trap '' HUP PIPE
trap 'rm -f /run/machinectl/pid' EXIT
umask 022
: "${remove?}" "${along?}"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
eval "$remove"
for package in $along; do
    if command -v dpkg-query >/dev/null; then dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" | grep -q '^.i'
    elif command -v rpm >/dev/null; then rpm -q "$package"
    elif command -v pacman >/dev/null; then pacman -Qq "$package"
    else apk info -e "$package"
    fi >/dev/null 2>&1 && printf '%s ' "$package"
done >stays
[ ! -s stays ] || printf 'stays: %s\n' "$(cat stays)"
