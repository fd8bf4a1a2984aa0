# Completion of machinectl, which makes servers Docker hosts, for PowerShell 5.1 and later.
# machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers and builders.

# By the words before: the words that may follow, the flags with what their values are, and what the arguments are.
# TABLE

# The machines are directories.
function __machinectl_machines($root) {
    if (-not $root) { $root = $Env:MACHINE_STORAGE_PATH }
    if (-not $root) {
        $data = if ($Env:XDG_DATA_HOME) { $Env:XDG_DATA_HOME }
        elseif ($Env:LOCALAPPDATA) { $Env:LOCALAPPDATA }
        else { "$HOME/.local/share" }
        $root = Join-Path $data 'machinectl'
    }
    Get-ChildItem -LiteralPath (Join-Path $root 'machines') -Directory -ErrorAction SilentlyContinue |
        ForEach-Object { $_.Name } | Where-Object { $_ -match '^[0-9A-Za-z][0-9A-Za-z.-]*\z' }
}

# The drivers and their options: a line DRIVER OPTION VALUE ABOUT for each.
function __machinectl_options {
    if ($null -eq $global:__machinectl_asked) { $global:__machinectl_asked = @(machinectl drivers --options 2>$null) }
    $global:__machinectl_asked | Select-Object -Skip 1 | ForEach-Object {
        $of, $option, $value, $about = $_ -split ' +', 4
        [pscustomobject]@{ Driver = $of; Flag = $(if ($value -eq '-') { $option } else { "$option=$value" }) }
    }
}

# The options of the named driver for `create`; without one, and for `set`, those of all drivers.
function __machinectl_flags_of_driver($verb, $driver) {
    if ($verb -cin 'set', 'create') {
        (__machinectl_options | Where-Object { $verb -ceq 'set' -or -not $driver -or $_.Driver -ceq $driver }).Flag
    }
}

# Names that machinectl is asked for.
function __machinectl_names($words, $wordToComplete) {
    machinectl docker-cli-plugin __complete machine @words "$wordToComplete" 2>$null |
        Where-Object { $_ -cmatch '^[0-9A-Za-z][0-9A-Za-z@:._/+-]*\z' }
}

Register-ArgumentCompleter -Native -CommandName machinectl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    $verb = ''; $root = ''; $driver = "$Env:MACHINE_DRIVER"; $flag = ''; $kind = ''; $argument = ''; $given = @()
    $verbs, $flags, $arguments = $__machinectl_table['']
    $flags = @($flags)
    foreach ($word in $words) {
        if ($kind) {
            $value = $word; $kind = ''
        } elseif ($word -match '^(-[^=]*)=(.*)$') {
            $flag = $Matches[1]; $value = $Matches[2]
        } elseif ($word -clike '-*') {
            $flag = $word
            if (-not ($flags | Where-Object { $_ -ceq $flag -or $_ -clike "$flag=*" })) {
                $flags += @(__machinectl_flags_of_driver $verb $driver)
            }
            $found = @($flags | Where-Object { $_ -clike "$flag=*" })
            $kind = if ($found) { ($found[0] -split '=', 2)[1] } else { '' }
            continue
        } elseif (-not $verbs) {
            # The command has begun: files.
            if ($verb -cin 'run', 'docker' -and $word -notmatch '[*[]' -and $word -cnotin @(__machinectl_machines $root)) { return }
            $given += $word
            continue
        } else {
            $longer = "$verb $word".Trim()
            if ($__machinectl_table.ContainsKey($longer)) {
                $verb = $longer
                $verbs, $flags, $arguments = $__machinectl_table[$verb]
                $flags = @($flags)
            } elseif (-not $arguments) {
                return
            } else {
                $verbs = @()
                $given += $word
            }
            continue
        }
        if (-not $verb -and $flag -cin '-s', '--storage-path') { $root = $value }
        if ($verb -eq 'create' -and $flag -cin '-d', '--driver') {
            $driver = $value
        }
    }
    $candidates = if ($kind) {
        switch -CaseSensitive ($kind) {
            'MACHINE' { __machinectl_machines $root }
            'LABEL' {
                $store = if ($root) { @('-s', $root) } else { @() }
                machinectl docker-cli-plugin __complete machine @store ls --selector "$wordToComplete" 2>$null |
                    Where-Object { $_ -cmatch '^[0-9A-Za-z][0-9A-Za-z=._/,!-]*\z' }
            }
            'HOLDER' { __machinectl_names $words $wordToComplete }
            'DRIVER' { (__machinectl_options).Driver | Select-Object -Unique }
            'TEXT' { }
            'FILE' { }
            'DIRECTORY' { }
            default { $kind -split '\|' }
        }
    } elseif ($wordToComplete -clike '-*') {
        $flags + @(__machinectl_flags_of_driver $verb $driver) | ForEach-Object { ($_ -split '=', 2)[0] } |
            Select-Object -Unique
    } else {
        $verbs
        $argument = @($arguments)[[Math]::Min($given.Count, [Math]::Max(@($arguments).Count - 1, 0))]
        if ($given.Count -lt @($arguments).Count -or $argument -clike '*...') {
            switch -Wildcard -CaseSensitive ($argument) {
                { $_ -clike 'PLACE*' -or $_ -ceq 'REMOTE' } {
                    if ($wordToComplete -notlike '*:*') {
                        $user = $wordToComplete -replace '[^@]*\z'
                        __machinectl_machines $root | ForEach-Object { $user + $_ + ':' }
                    }
                }
                'MACHINE*' { __machinectl_machines $root | Where-Object { $_ -notin $given } }
                { $_ -cmatch '^(IMAGE|CONTAINER|BUILDER|HOLDER)' } {
                    __machinectl_names $words $wordToComplete
                }
                '*|*' { $argument -split '\|' }
            }
        }
    }
    if ($argument -clike 'PLACE*' -and $wordToComplete -notlike '*:*') {
        [Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
    }
    $candidates | Where-Object { $_ -and $_.StartsWith($wordToComplete) } | ForEach-Object {
        [Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
