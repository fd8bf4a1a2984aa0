# Remove the copies $2 below $1, and $1 if nothing else is there.
rm -rf -- "$1/${2:?}" || exit
rmdir -- "$1" 2>/dev/null
exit 0
