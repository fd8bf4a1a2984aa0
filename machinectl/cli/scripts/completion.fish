# Completion of machinectl for fish: each Tab asks machinectl what may follow. It replaces that of systemd's machinectl.
# machinectl prints a line NAME, tab, ABOUT for each candidate, then `:` and a sum: 4 no files, 16 directories.

function __machinectl_complete
    set -l cur (commandline -ct | string collect)
    set -l lines (machinectl docker-cli-plugin __complete machine (commandline -opc)[2..] "$cur" 2>/dev/null </dev/null)
    set -l directive (string replace -rf -- '^:' '' $lines[-1])
    set -e lines[-1]
    set -l beginning ''
    if string match -rq -- '^(?<flag>-[^=]*=)(?<value>.*)$' "$cur"
        set beginning $flag
        set cur $value
    end
    switch "$directive"
        case 0 2
            set -a lines (__fish_complete_path "$cur" '')
        case 16
            set -a lines (__fish_complete_directories "$cur" '')
    end
    string replace -r -- '^' "$beginning" $lines
end

complete -e -c machinectl
complete -c machinectl -f -a '(__machinectl_complete)'
