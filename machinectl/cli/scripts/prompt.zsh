
# What --prompt adds: the segment at the front of PROMPT, kept up to date before each prompt.
__machinectl_in_prompt() {
    \builtin emulate -L zsh
    \local segment=
    __machinectl_segment ''
    PROMPT="$segment${PROMPT#"${__machinectl_shown-}"}"
    \builtin typeset -g __machinectl_shown="$segment"
}
\builtin typeset -ga precmd_functions
if [[ -z "${(M)precmd_functions:#__machinectl_in_prompt}" ]]; then
    precmd_functions+=(__machinectl_in_prompt)
fi
