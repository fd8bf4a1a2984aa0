
# What --prompt adds: the segment in front of the prompt that there is.
if (-not (Test-Path function:global:__machinectl_prompt_before)) {
    Set-Item function:global:__machinectl_prompt_before (Get-Item function:prompt).ScriptBlock
    function global:prompt { "$(machinectl_prompt)$(__machinectl_prompt_before)" }
}
