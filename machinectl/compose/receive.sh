# Take a tar from stdin: tree/ (what becomes new), in-place/, the lists "removed" and "replaced" (paths, each ended by
# NUL), and at its end a file with the name $1, as tar does not notice every cut. Mark the copies with $2.
set -eu
umask 077
rm -rf .new
mkdir -p .new/tree
tar -x -p --numeric-owner -f - -C .new
[ -f ".new/$1" ] || exit 65
if [ -s .new/removed ]; then
    xargs -0 rm -f -- <.new/removed 2>/dev/null || :
    # Deepest first. What containers made keeps its directory.
    xargs -0 rmdir -- <.new/removed 2>/dev/null || :
fi
# Hard links: no half file is ever seen, and no space is taken twice.
cp -a -l -f .new/tree/. .
if [ -s .new/replaced ]; then
    # A container sees a file that is mounted alone only if it stays the same file.
    # shellcheck disable=SC2016 # for the inner shell
    xargs -0 sh -c 'for path; do
        new=.new/in-place/$path
        if cat <"$new" 2>/dev/null >"$path"; then
            chmod "$(stat -c %a "$new")" "$path"
            chown "$(stat -c %u:%g "$new")" "$path"
            touch -r "$new" "$path"
        else
            mv -f "$new" "$path"
            echo "$path"
        fi
    done' sh <.new/replaced
fi
rm -rf .new
printf %s "$2" >.mark
