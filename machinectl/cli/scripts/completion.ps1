# Completion of machinectl for PowerShell 5.1 and later: each Tab asks machinectl what may follow.
# machinectl prints a line NAME, tab, ABOUT for each candidate, then `:` and a sum, in which 4 means: no files.

Register-ArgumentCompleter -Native -CommandName machinectl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    # Before 7.3, PowerShell drops an empty argument.
    $last = if ($wordToComplete -or $PSVersionTable.PSVersion -ge [version]'7.3') { "$wordToComplete" } else { '""' }
    $lines = @(machinectl docker-cli-plugin __complete machine @words $last 2>$null)
    $beginning = if ($wordToComplete -match '^-[^=]*=') { $Matches[0] } else { '' }
    foreach ($line in $lines) {
        if ($line -like ':*') { continue }
        $name, $about = $line -split "`t", 2
        if (-not $about) { $about = $name }
        [Management.Automation.CompletionResult]::new("$beginning$name", $name, 'ParameterValue', $about)
    }
    if ($lines.Count -and -not ([int]$lines[-1].TrimStart(':') -band 4)) {
        [Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
    }
}
