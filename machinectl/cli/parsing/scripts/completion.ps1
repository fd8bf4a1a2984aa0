# Completion of machinectl, which makes servers Docker hosts, for PowerShell 5.1 and later.
# machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers and builders.

# By the words before: the words that may follow, the flags with what their values are, and what the arguments are.
$__machinectl_table = @{
    '' = @('env', 'use', 'config', 'context', 'active', 'ls', 'ps', 'socket', 'ssh', 'ssh-config', 'scp', 'mount', 'forward', 'url', 'ip', 'shell-init', 'completion', 'docker-plugin', 'create', 'import', 'rm', 'rename', 'set', 'drivers', 'certs', 'provision', 'upgrade', 'regenerate-certs', 'renew', 'start', 'stop', 'restart', 'kill', 'doctor', 'status', 'version', 'info', 'inspect', 'changes', 'api', 'plan', 'apply', 'fleet', 'discover', 'inventory', 'swarm', 'run', 'docker', 'push', 'pull', 'images', 'builder', 'access', 'export', 'help'), @('-s=DIRECTORY', '--storage-path=DIRECTORY', '-D', '--debug', '-v', '--version', '-h', '--help'), @()
    'help' = @('env', 'use', 'config', 'context', 'active', 'ls', 'ps', 'socket', 'ssh', 'ssh-config', 'scp', 'mount', 'forward', 'url', 'ip', 'shell-init', 'completion', 'docker-plugin', 'create', 'import', 'rm', 'rename', 'set', 'drivers', 'certs', 'provision', 'upgrade', 'regenerate-certs', 'renew', 'start', 'stop', 'restart', 'kill', 'doctor', 'status', 'version', 'info', 'inspect', 'changes', 'api', 'plan', 'apply', 'fleet', 'discover', 'inventory', 'swarm', 'run', 'docker', 'push', 'pull', 'images', 'builder', 'access', 'export', 'all', 'ssh-options'), @('-h', '--help'), @()
    'env' = @(), @('-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs', '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs', '-u', '--unset', '--no-proxy', '--swarm', '--format=json|dotenv|properties', '--json', '-h', '--help'), @('MACHINE')
    'use' = @(), @('-u', '--unset', '-h', '--help'), @('MACHINE')
    'config' = @(), @('--swarm', '--json', '-h', '--help'), @('MACHINE')
    'context' = @('import', 'ls', 'sync'), @('-h', '--help'), @()
    'active' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @()
    'ls' = @(), @('-l=LABEL', '--selector=LABEL', '-q', '--quiet', '--filter=TEXT', '-t=TEXT', '--timeout=TEXT', '-f=TEXT', '--format=TEXT', '--json', '--removed', '--watch', '--interval=TEXT', '-h', '--help'), @('MACHINE...')
    'list' = @(), @('-l=LABEL', '--selector=LABEL', '-q', '--quiet', '--filter=TEXT', '-t=TEXT', '--timeout=TEXT', '-f=TEXT', '--format=TEXT', '--json', '--removed', '--watch', '--interval=TEXT', '-h', '--help'), @('MACHINE...')
    'ps' = @(), @('-a', '--all', '-f=TEXT', '--filter=TEXT', '--format=TEXT', '-n=TEXT', '--last=TEXT', '-l', '--latest', '--no-trunc', '-q', '--quiet', '-s', '--size', '-t=TEXT', '--timeout=TEXT', '--json', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'socket' = @('ls', 'rm'), @('--path=FILE', '--background', '--forward', '-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs', '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs', '-h', '--help'), @('MACHINE')
    'ssh' = @(), @('--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE', 'TEXT')
    'ssh-config' = @(), @('--write', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'scp' = @(), @('-r', '--recursive', '-d', '--delta', '-q', '--quiet', '-p', '--preserve', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('PLACE...')
    'mount' = @(), @('-u', '--unmount', '--json', '-h', '--help'), @('REMOTE', 'DIRECTORY')
    'forward' = @(), @('--auto', '--bind=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE', 'CONTAINER...')
    'url' = @(), @('--json', '-h', '--help'), @('MACHINE')
    'ip' = @(), @('--json', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'shell-init' = @(), @('--prompt', '-h', '--help'), @('bash|zsh|fish|powershell')
    'completion' = @(), @('-h', '--help'), @('bash|zsh|fish|powershell')
    'docker-plugin' = @('install', 'uninstall'), @('-h', '--help'), @()
    'create' = @(), @('-d=DRIVER', '--driver=DRIVER', '--tls-dir=DIRECTORY', '--tls-ca-cert=FILE', '--tls-client-cert=FILE', '--tls-client-key=FILE', '--no-tls', '--no-provision', '--no-context', '--address=TEXT', '--access-lifetime=TEXT', '--ssh-jump=MACHINE', '--dry-run', '-y', '--yes', '-f', '--force', '--restart-swarm', '--open-firewall', '--label=TEXT', '--engine-label=TEXT', '--engine-opt=TEXT', '--engine-insecure-registry=TEXT', '--engine-registry-mirror=TEXT', '--engine-env=TEXT', '--tls-san=TEXT', '--engine-install=auto|docker|distro|none', '--engine-install-url=TEXT', '--engine-version=TEXT', '--engine-storage-driver=TEXT', '--engine-bind=TEXT', '--ssh-only', '--no-ssh-only', '--os=TEXT', '--engine-env-file=FILE', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('TEXT')
    'import' = @(), @('--from-docker-machine', '--passphrase-file=FILE', '-i=FILE', '--identity=FILE', '--no-context', '--dry-run', '-h', '--help'), @('FILE', 'TEXT')
    'rm' = @(), @('-f', '--force', '-y', '--yes', '--purge', '--purge-engine', '--restart-swarm', '--dry-run', '--forget', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'rename' = @(), @('-h', '--help'), @('MACHINE', 'TEXT')
    'set' = @(), @('--url=TEXT', '--label=TEXT', '--engine-label=TEXT', '--unlabel=TEXT', '--tls', '--no-tls', '--context', '--no-context', '--address=TEXT', '--access-lifetime=TEXT', '--ssh-jump=MACHINE', '--engine-opt=TEXT', '--engine-insecure-registry=TEXT', '--engine-registry-mirror=TEXT', '--engine-env=TEXT', '--tls-san=TEXT', '--engine-install=auto|docker|distro|none', '--engine-install-url=TEXT', '--engine-version=TEXT', '--engine-storage-driver=TEXT', '--engine-bind=TEXT', '--ssh-only', '--no-ssh-only', '--os=TEXT', '--engine-env-file=FILE', '-h', '--help'), @('MACHINE')
    'drivers' = @(), @('--json', '--options', '-h', '--help'), @()
    'certs' = @('create', 'issue', 'import', 'ls'), @('-h', '--help'), @()
    'provision' = @(), @('-y', '--yes', '--take-over', '--dry-run', '-f', '--force', '--restart-swarm', '--open-firewall', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'upgrade' = @(), @('-y', '--yes', '-f', '--force', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'regenerate-certs' = @(), @('-y', '-f', '--yes', '--force', '--client-certs', '--new-ca', '--tls-san=TEXT', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'renew' = @(), @('--due', '--lifetime-left=TEXT', '--install-timer', '--uninstall-timer', '-y', '--yes', '--dry-run', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'start' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'stop' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'restart' = @(), @('-t=TEXT', '--timeout=TEXT', '-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'kill' = @(), @('-y', '--yes', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('MACHINE...')
    'doctor' = @(), @('-t=TEXT', '--timeout=TEXT', '--here', '-v', '--verbose', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'status' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'version' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'info' = @(), @('--ssh', '-f=TEXT', '--format=TEXT', '-t=TEXT', '--timeout=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'inspect' = @(), @('-f=TEXT', '--format=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'changes' = @(), @('--json', '-h', '--help'), @('MACHINE')
    'api' = @(), @('-d=TEXT', '--data=TEXT', '-t=TEXT', '--timeout=TEXT', '-h', '--help'), @('MACHINE', 'TEXT')
    'plan' = @(), @('-l=LABEL', '--selector=LABEL', '-f=FILE', '--file=FILE', '--refresh', '--prune', '--detailed-exitcode', '--parallel=TEXT', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'apply' = @(), @('-l=LABEL', '--selector=LABEL', '-f=FILE', '--file=FILE', '--parallel=TEXT', '--batch=TEXT', '--max-failures=TEXT', '--refresh', '--prune', '--purge', '--take-over', '-y', '--yes', '--force', '--restart-swarm', '--open-firewall', '--dry-run', '--json', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'fleet' = @('import', 'init', 'schema'), @('-h', '--help'), @()
    'discover' = @(), @('-t=TEXT', '--timeout=TEXT', '-v', '--verbose', '--json', '--write=FILE', '-y', '--yes', '-h', '--help'), @('TEXT...')
    'inventory' = @(), @('--ansible', '--prometheus', '--list', '--host=MACHINE', '-h', '--help'), @()
    'swarm' = @('init', 'join', 'leave', 'status'), @('-h', '--help'), @()
    'run' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--group', '--json', '-t=TEXT', '--timeout=TEXT', '--sudo', '--parallel=TEXT', '--no-persist', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'docker' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--group', '--json', '-t=TEXT', '--timeout=TEXT', '--parallel=TEXT', '-h', '--help'), @('MACHINE...')
    'push' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--from=MACHINE', '--from-file=FILE', '--platform=TEXT', '--as=TEXT', '--parallel=TEXT', '--dry-run', '--json', '-h', '--help'), @('IMAGE', 'MACHINE...')
    'pull' = @(), @('--platform=TEXT', '--as=TEXT', '--json', '-h', '--help'), @('TEXT', 'MACHINE')
    'images' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '-f=TEXT', '--filter=TEXT', '--format=TEXT', '--digests', '--no-trunc', '-q', '--quiet', '-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE...')
    'builder' = @('ls', 'rm'), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '--name=TEXT', '--append', '--use', '--bootstrap', '--driver-opt=TEXT', '-t=TEXT', '--timeout=TEXT', '-h', '--help'), @('MACHINE...')
    'access' = @('ls', 'grant', 'end', 'request', 'accept', 'renew', 'issue'), @('-h', '--help'), @()
    'export' = @(), @('-o=FILE', '--output=FILE', '-r=TEXT', '--recipient=TEXT', '-R=FILE', '--recipients-file=FILE', '--passphrase-file=FILE', '--with-ca-key', '--with-ssh-key', '-a', '--all', '-f', '--force', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'context import' = @(), @('-h', '--help'), @('TEXT', 'TEXT')
    'context ls' = @(), @('--json', '-h', '--help'), @()
    'context sync' = @(), @('-l=LABEL', '--selector=LABEL', '-h', '--help'), @()
    'socket ls' = @(), @('-q', '--quiet', '--json', '-h', '--help'), @()
    'socket rm' = @(), @('-h', '--help'), @('MACHINE...')
    'docker-plugin install' = @(), @('-h', '--help'), @()
    'docker-plugin uninstall' = @(), @('-h', '--help'), @()
    'certs create' = @(), @('--out=DIRECTORY', '--san=TEXT', '--ca-cert=FILE', '--ca-key=FILE', '--client-name=TEXT', '-f', '--force', '-h', '--help'), @()
    'certs issue' = @(), @('--out=DIRECTORY', '--client-name=TEXT', '-f', '--force', '-h', '--help'), @('MACHINE')
    'certs import' = @(), @('-f', '--force', '-h', '--help'), @('MACHINE', 'DIRECTORY')
    'certs ls' = @(), @('--fail-under=TEXT', '--json', '-l=LABEL', '--selector=LABEL', '-h', '--help'), @('MACHINE...')
    'fleet import' = @(), @('--from=ansible|ssh-config', '-o=FILE', '--output=FILE', '-h', '--help'), @('FILE')
    'fleet init' = @(), @('-o=FILE', '--output=FILE', '-h', '--help'), @('MACHINE...')
    'fleet schema' = @(), @('-h', '--help'), @()
    'swarm init' = @(), @('--advertise-addr=TEXT', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE')
    'swarm join' = @(), @('--manager', '--advertise-addr=TEXT', '-l=LABEL', '--selector=LABEL', '-a', '--all', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE', 'MACHINE...')
    'swarm leave' = @(), @('-f', '--force', '-l=LABEL', '--selector=LABEL', '-a', '--all', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('MACHINE...')
    'swarm status' = @(), @('-t=TEXT', '--timeout=TEXT', '--json', '-h', '--help'), @('MACHINE')
    'builder ls' = @(), @('-q', '--quiet', '--json', '-h', '--help'), @()
    'builder rm' = @(), @('--keep-state', '-h', '--help'), @('BUILDER...')
    'access ls' = @(), @('-l=LABEL', '--selector=LABEL', '--json', '-h', '--help'), @('MACHINE...')
    'access grant' = @(), @('--for=HOLDER', '--lifetime=TEXT', '-y', '--yes', '-o=FILE', '--output=FILE', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('FILE')
    'access end' = @(), @('-l=LABEL', '--selector=LABEL', '-a', '--all', '-y', '--yes', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-h', '--help'), @('HOLDER', 'MACHINE...')
    'access request' = @(), @('--for=TEXT', '-o=FILE', '--output=FILE', '-h', '--help'), @('TEXT...')
    'access accept' = @(), @('-y', '--yes', '-h', '--help'), @('FILE')
    'access renew' = @(), @('-l=LABEL', '--selector=LABEL', '-o=FILE', '--output=FILE', '-h', '--help'), @('MACHINE...')
    'access issue' = @(), @('--for=HOLDER', '--lifetime=TEXT', '--out=FILE', '--address=TEXT', '-y', '--yes', '-f', '--force', '--restart-swarm', '--dry-run', '--ssh-passphrase-file=FILE', '--ssh-password-file=FILE', '--sudo-password-file=FILE', '--ssh-host-key=TEXT', '--ssh-strict', '-l=LABEL', '--selector=LABEL', '-a', '--all', '-h', '--help'), @('env|github|gitlab|testcontainers', 'MACHINE...')
}

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
