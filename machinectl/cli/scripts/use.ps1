# `machinectl use` for PowerShell 5.1 and later: a function sets what machinectl prints.

function global:machinectl {
    $words = @($args)
    $verb = if ("$($words[0])" -cmatch '^(-s|--?storage-path)$') { "$($words[2])" }
    elseif ("$($words[0])".StartsWith('-')) { "$($words[1])" }
    else { "$($words[0])" }
    if ($verb -cne 'use' -or $words -ccontains '-h' -or $words -ccontains '--help') {
        if ($MyInvocation.ExpectingInput) { $input | & @PROGRAM@ @args } else { & @PROGRAM@ @args }
        return
    }
    $Env:MACHINECTL_USE = 'powershell'
    try { $text = & @PROGRAM@ @args | Out-String } finally { Remove-Item Env:MACHINECTL_USE }
    if ($LASTEXITCODE) { return }
    Invoke-Expression $text
    $global:__machinectl_used = "$Env:DOCKER_MACHINE_NAME $Env:DOCKER_HOST"
}

# For a prompt of your own: the machine that docker speaks to, by a format (usually '({0}) '), or nothing. What is no
# machine's name is not shown; and where DOCKER_HOST was set to something else since, docker does not speak to it.
function global:machinectl_prompt($format = '({0}) ') {
    $name = "$Env:DOCKER_MACHINE_NAME"
    if (-not $Env:DOCKER_HOST -or $name -cnotmatch '^[0-9A-Za-z][0-9A-Za-z.-]*\z') { return '' }
    $used = "$global:__machinectl_used"
    if ($used.StartsWith("$name ") -and $used -cne "$name $Env:DOCKER_HOST") { return '' }
    $format -f $name
}
