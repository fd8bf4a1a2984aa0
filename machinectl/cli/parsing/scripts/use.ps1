# `machinectl use` for PowerShell 5.1 and later. What a record or a variable holds is never evaluated.

$global:__machinectl_variables = 'DOCKER_TLS_VERIFY', 'DOCKER_HOST', 'DOCKER_CERT_PATH', 'DOCKER_MACHINE_NAME'

function global:machinectl {
    $root = ''; $rest = @($args)
    if ($rest.Count -gt 2 -and $rest[0] -cin '-s', '-storage-path', '--storage-path' -and $rest[2] -ceq 'use') {
        $root = $rest[1]; $rest = @($rest | Select-Object -Skip 2)
    } elseif ($rest.Count -gt 1 -and $rest[1] -ceq 'use' -and
        $rest[0] -cmatch '(?s)^(?:--?storage-path=|-s=?)(.+)\z') {
        $root = $Matches[1]; $rest = @($rest | Select-Object -Skip 1)
    }
    if ($rest.Count -gt 0 -and $rest[0] -ceq 'use') {
        __machinectl_use $root @($rest | Select-Object -Skip 1)
    } elseif ($MyInvocation.ExpectingInput) {
        $input | & @PROGRAM@ @args
    } else {
        & @PROGRAM@ @args
    }
}

# The store ('' is the usual one), and what follows `use`.
function global:__machinectl_use($root, $words) {
    $words = @($words)
    $first = if ($words.Count) { "$($words[0])" } else { '' }
    $before = @(__machinectl_look)
    if ($words.Count -eq 1 -and $first -cin '-u', '--unset') {
        __machinectl_set @($null, $null, $null, $null)
    } elseif ($words.Count -eq 1 -and $first -eq '-') {
        if (-not (Test-Path variable:global:__machinectl_before)) {
            [Console]::Error.WriteLine("Error: No machine was used before in this shell`n  Name one: machinectl use <NAME>")
            $global:LASTEXITCODE = 1
            return
        }
        $directory, $name = $global:__machinectl_before[2, 3]
        # A machine's certificates are beside its record.
        if ($directory -and $name -and -not (Test-Path -LiteralPath $directory)) {
            [Console]::Error.WriteLine("Error: Docker machine ""$name"" does not exist any more`n" +
                "  Name one: machinectl use <NAME>")
            $global:LASTEXITCODE = 1
            return
        }
        __machinectl_set $global:__machinectl_before
    } elseif ($first -cin '-h', '--help') {
        & @PROGRAM@ use --help
        return
    } elseif ($first.StartsWith('-')) {
        [Console]::Error.WriteLine("Error: No such option: $first`n  machinectl use --help")
        $global:LASTEXITCODE = 2
        return
    } else {
        $found = if ($words.Count -eq 1) { __machinectl_read $root $first } else { $null }
        if ($found) {
            __machinectl_set $found
        } else {
            $store = if ($root) { @('-s', $root) } else { @() }
            $told = & @PROGRAM@ @store use --shell=json @words | Out-String
            if ($LASTEXITCODE) { return }
            $values = $told | ConvertFrom-Json
            __machinectl_set @($global:__machinectl_variables | ForEach-Object { , $values.$_ })
        }
        if ($Env:DOCKER_CONTEXT) {
            [Console]::Error.WriteLine("Warning: DOCKER_CONTEXT=$Env:DOCKER_CONTEXT is set, too, and some tools put it first" +
                "`n  Take it away: Remove-Item Env:DOCKER_CONTEXT")
        }
    }
    $global:__machinectl_used = "$Env:DOCKER_MACHINE_NAME $Env:DOCKER_HOST"
    # Who uses the same machine again goes back to the one before it all the same.
    if ("$(__machinectl_look)" -cne "$before") { $global:__machinectl_before = $before }
    $global:LASTEXITCODE = 0
}

# The four variables as they are; $null for one that is not set.
function global:__machinectl_look {
    $global:__machinectl_variables | ForEach-Object { , [Environment]::GetEnvironmentVariable($_) }
}

# Set them to what `__machinectl_look` found.
function global:__machinectl_set($values) {
    for ($at = 0; $at -lt 4; $at++) {
        [Environment]::SetEnvironmentVariable($global:__machinectl_variables[$at], $values[$at])
    }
}

# What a machine's record means for the four variables; nothing wherever `machinectl env` might say otherwise.
function global:__machinectl_read($root, $name) {
    if (-not $root) { $root = $Env:MACHINE_STORAGE_PATH }
    if (-not $root) {
        $data = if ($Env:XDG_DATA_HOME) { $Env:XDG_DATA_HOME }
        elseif ($Env:LOCALAPPDATA) { $Env:LOCALAPPDATA }
        else { "$HOME/.local/share" }
        $root = Join-Path $data 'machinectl'
    }
    if (-not [IO.Path]::IsPathRooted($root) -or [IO.Path]::GetFullPath($root) -cne $root) { return }
    if ($name -cnotmatch '^[0-9A-Za-z][0-9A-Za-z.-]*\z') { return }
    $directory = [IO.Path]::Combine($root, 'machines', $name)
    $record = [IO.Path]::Combine($directory, 'machine.json')
    if (-not [IO.File]::Exists($record) -or (Test-Path -LiteralPath ([IO.Path]::Combine($directory, 'pending')))) { return }
    try { $machine = [IO.File]::ReadAllText($record) | ConvertFrom-Json } catch { return }
    if ($machine.schema -ne 1 -or $machine.phase -cne 'ready' -or $machine.tls -isnot [bool]) { return }
    if ("$($machine.url)" -cnotmatch '^(?!.*(://|@)-)[0-9A-Za-z:/@._%~+,=\[\]-]+\z') { return }
    if ($machine.tls) { , @('1', $machine.url, $directory, $name) } else { , @($null, $machine.url, $null, $name) }
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
