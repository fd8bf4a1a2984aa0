
# What --prompt adds: the segment in front of the prompt that there is.
if not functions -q __machinectl_prompt_before
    functions -q fish_prompt && functions -c fish_prompt __machinectl_prompt_before
    function fish_prompt
        # First of all, as it may show the last command's status.
        set -l prompt (__machinectl_prompt_before | string collect -N)
        machinectl_prompt
        printf %s $prompt
    end
end
