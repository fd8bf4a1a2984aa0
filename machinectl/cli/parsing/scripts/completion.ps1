# Completion of machinectl, which makes servers Docker hosts, for PowerShell 5.1 and later.
# Nothing is asked of machinectl itself but what drivers there are, once in a shell, and which labels.

# By the words before: the words that may follow, the flags with what their values are, and what the arguments are.
# BEGIN: written by make reference
$__machinectl_table = @{
    '' = @('env', 'use', 'config', 'context', 'active', 'ls', 'ps', 'ssh', 'ssh-config', 'scp', 'mount', 'url', 'ip', 'shell-init', 'completion', 'docker-plugin', 'create', 'import', 'rm', 'rename', 'set', 'drivers', 'certs', 'provision', 'upgrade', 'regenerate-certs', 'start', 'stop', 'restart', 'kill', 'doctor', 'status', 'version', 'info', 'inspect', 'changes', 'api', 'plan', 'apply', 'fleet', 'discover', 'inventory', 'swarm', 'run', 'docker', 'help'), @('-s=DIRECTORY', '--storage-path=DIRECTORY', '-D', '--debug', '-v', '--version', '-h', '--help'), @()
    'context' = @('import', 'ls', 'sync'), @('-h', '--help'), @()
    'docker-plugin' = @('install', 'uninstall'), @('-h', '--help'), @()
    'certs' = @('create', 'issue', 'import', 'ls'), @('-h', '--help'), @()
    'fleet' = @('import', 'init', 'schema'), @('-h', '--help'), @()
    'swarm' = @('init', 'join', 'leave', 'status'), @('-h', '--help'), @()
    'help' = @(), @('-h', '--help'), @('VERB')
    'env' = @(), @('--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs', '-u', '--unset', '--no-proxy', '--swarm', '--format=json|dotenv|properties', '--json', '-h', '--help'), @('MACHINE')
    'use' = @(), @('-u', '--unset', '-h', '--help'), @('MACHINE')
    'config' = @(), @('--swarm', '--json', '-h', '--help'), @('MACHINE')
    'active' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @()
    'ls' = @(), @('-l=LABEL', '--selector=LABEL', '-q', '--quiet', '--filter=TEXT', '-t=TEXT', '--timeout=TEXT', '-f=TEXT', '--format=TEXT', '--json', '--removed', '--watch', '--interval=TEXT', '-h', '--help'), @('MACHINE...')
    'list' = @(), @('-l=LABEL', '--selector=LABEL', '-q', '--quiet', '--filter=TEXT', '-t=TEXT', '--timeout=TEXT', '-f=TEXT', '--format=TEXT', '--json', '--removed', '--watch', '--interval=TEXT', '-h', '--help'), @('MACHINE...')
    'ps' = @(), @('-a', '--all', '-f=TEXT', '--filter=TEXT', '--format=TEXT', '-n=TEXT', '--last=TEXT', '-l', '--latest', '--no-trunc', '-q', '--quiet', '-s', '--size', '-t=TEXT', '--timeout=TEXT', '--json', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'ssh' = @(), @('--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE', 'TEXT')
    'ssh-config' = @(), @('--write', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'scp' = @(), @('-r', '--recursive', '-d', '--delta', '-q', '--quiet', '-p', '--preserve', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('PLACE...')
    'mount' = @(), @('-u', '--unmount', '-h', '--help'), @('REMOTE', 'DIRECTORY')
    'url' = @(), @('--json', '-h', '--help'), @('MACHINE')
    'ip' = @(), @('--json', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'shell-init' = @(), @('--prompt', '-h', '--help'), @('bash|zsh|fish|powershell')
    'completion' = @(), @('-h', '--help'), @('bash|zsh|fish|powershell')
    'create' = @(), @('-d=DRIVER', '--driver=DRIVER', '--tls-dir=DIRECTORY', '--tls-ca-cert=FILE', '--tls-client-cert=FILE', '--tls-client-key=FILE', '--no-tls', '--no-provision', '--no-context', '--ssh-jump=MACHINE', '--dry-run', '-y', '--yes', '-f', '--force', '--restart-swarm', '--open-firewall', '--label=TEXT', '--engine-label=TEXT', '--engine-opt=TEXT', '--engine-insecure-registry=TEXT', '--engine-registry-mirror=TEXT', '--engine-env=TEXT', '--tls-san=TEXT', '--engine-install=auto|docker|distro|none', '--engine-install-url=TEXT', '--engine-version=TEXT', '--engine-storage-driver=TEXT', '--engine-bind=TEXT', '--os=TEXT', '--engine-env-file=FILE', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('TEXT')
    'import' = @(), @('--from-docker-machine', '--no-context', '--dry-run', '-h', '--help'), @('DIRECTORY')
    'rm' = @(), @('-f', '--force', '-y', '--yes', '--purge', '--purge-engine', '--restart-swarm', '--dry-run', '--forget', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'rename' = @(), @('-h', '--help'), @('MACHINE', 'TEXT')
    'set' = @(), @('--url=TEXT', '--label=TEXT', '--engine-label=TEXT', '--unlabel=TEXT', '--tls', '--no-tls', '--context', '--no-context', '--ssh-jump=MACHINE', '--engine-opt=TEXT', '--engine-insecure-registry=TEXT', '--engine-registry-mirror=TEXT', '--engine-env=TEXT', '--tls-san=TEXT', '--engine-install=auto|docker|distro|none', '--engine-install-url=TEXT', '--engine-version=TEXT', '--engine-storage-driver=TEXT', '--engine-bind=TEXT', '--os=TEXT', '--engine-env-file=FILE', '-h', '--help'), @('MACHINE')
    'drivers' = @(), @('--json', '--options', '-h', '--help'), @()
    'provision' = @(), @('-y', '--yes', '--dry-run', '-f', '--force', '--restart-swarm', '--open-firewall', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'upgrade' = @(), @('-y', '--yes', '-f', '--force', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'regenerate-certs' = @(), @('-y', '-f', '--yes', '--force', '--client-certs', '--new-ca', '--tls-san=TEXT', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'start' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'stop' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'restart' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'kill' = @(), @('-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'doctor' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'status' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'version' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'info' = @(), @('--ssh', '-f=TEXT', '--format=TEXT', '-t=TEXT', '--timeout=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'inspect' = @(), @('-f=TEXT', '--format=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'changes' = @(), @('--json', '-h', '--help'), @('MACHINE')
    'api' = @(), @('-d=TEXT', '--data=TEXT', '-t=TEXT', '--timeout=TEXT', '-h', '--help'), @('MACHINE', 'TEXT')
    'plan' = @(), @('-l=LABEL', '--selector=LABEL', '-f=FILE', '--file=FILE', '--refresh', '--prune', '--detailed-exitcode', '--parallel=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'apply' = @(), @('-l=LABEL', '--selector=LABEL', '-f=FILE', '--file=FILE', '--parallel=TEXT', '--batch=TEXT', '--max-failures=TEXT', '--refresh', '--prune', '--purge', '--take-over', '-y', '--yes', '--force', '--restart-swarm', '--open-firewall', '--dry-run', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'discover' = @(), @('--ports=TEXT', '-t=TEXT', '--timeout=TEXT', '--json', '--write=FILE', '-y', '--yes', '-h', '--help'), @('TEXT...')
    'inventory' = @(), @('--ansible', '--prometheus', '--list', '--host=MACHINE', '-h', '--help'), @()
    'run' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--group', '--json', '-t=TEXT', '--timeout=TEXT', '--sudo', '--parallel=TEXT', '--no-persist', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'docker' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--group', '--json', '-t=TEXT', '--timeout=TEXT', '--parallel=TEXT', '-h', '--help'), @('MACHINE...')
    'context import' = @(), @('-h', '--help'), @('TEXT', 'TEXT')
    'context ls' = @(), @('--json', '-h', '--help'), @()
    'context sync' = @(), @('-l=LABEL', '--selector=LABEL', '-h', '--help'), @()
    'docker-plugin install' = @(), @('--no-hooks', '-h', '--help'), @()
    'docker-plugin uninstall' = @(), @('-h', '--help'), @()
    'certs create' = @(), @('--out=DIRECTORY', '--san=TEXT', '--ca-cert=FILE', '--ca-key=FILE', '--client-name=TEXT', '-f', '--force', '-h', '--help'), @()
    'certs issue' = @(), @('--out=DIRECTORY', '--client-name=TEXT', '-f', '--force', '-h', '--help'), @('MACHINE')
    'certs import' = @(), @('-f', '--force', '-h', '--help'), @('MACHINE', 'DIRECTORY')
    'certs ls' = @(), @('--fail-under=TEXT', '--json', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'fleet import' = @(), @('--from=ansible|ssh-config', '-o=FILE', '--output=FILE', '-h', '--help'), @('FILE')
    'fleet init' = @(), @('-o=FILE', '--output=FILE', '-h', '--help'), @('MACHINE...')
    'fleet schema' = @(), @('-h', '--help'), @()
    'swarm init' = @(), @('--advertise-addr=TEXT', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE')
    'swarm join' = @(), @('--manager', '--advertise-addr=TEXT', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE', 'MACHINE...')
    'swarm leave' = @(), @('-f', '--force', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'swarm status' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
}
# END

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
            $found = @($flags | Where-Object { $_ -clike "$flag=*" })
            $kind = if ($found) { ($found[0] -split '=', 2)[1] } else { '' }
            continue
        } elseif (-not $verbs) {
            $given += $word
            continue
        } else {
            $verb = "$verb $word".Trim()
            if (-not $__machinectl_table.ContainsKey($verb)) { return }
            $verbs, $flags, $arguments = $__machinectl_table[$verb]
            $flags = @($flags)
            if ($verb -eq 'set') { $flags += (__machinectl_options).Flag }
            continue
        }
        if (-not $verb -and $flag -cin '-s', '--storage-path') { $root = $value }
        if ($verb -eq 'create' -and $flag -cin '-d', '--driver') {
            $driver = $value
            $flags += (__machinectl_options | Where-Object Driver -EQ $driver).Flag
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
            'DRIVER' { (__machinectl_options).Driver | Select-Object -Unique }
            'TEXT' { }
            'FILE' { }
            'DIRECTORY' { }
            default { $kind -split '\|' }
        }
    } elseif ($wordToComplete -clike '-*') {
        $flags | ForEach-Object { ($_ -split '=', 2)[0] }
    } elseif ($verbs) {
        $verbs
    } else {
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
                'VERB' { $__machinectl_table[''][0] }
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
