#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Stops the Dockwright agent and takes it away; with -Purge its home too: journal, certificate and trusted peers.
#>
param(
    [string] $Folder = "$env:ProgramFiles\dockwright",
    [string] $Data = "$env:ProgramData\dockwright",
    [switch] $Purge
)
Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
trap { [Console]::Error.WriteLine("$_"); exit 1 }

if (Get-ScheduledTask -TaskName Dockwright -ErrorAction SilentlyContinue) {
    Stop-ScheduledTask -TaskName Dockwright
    Unregister-ScheduledTask -TaskName Dockwright -Confirm:$false
}
Remove-NetFirewallRule -Name Dockwright -ErrorAction SilentlyContinue
$going = @($Folder, "$Folder.new", "$Folder.old") + @(if ($Purge) { $Data })
foreach ($each in $going | Where-Object { Test-Path $_ }) {
    # A program that was stopped holds its files for a moment.
    for ($try = 1; Test-Path $each; $try++) {
        try { Remove-Item -Recurse -Force $each } catch { if ($try -eq 15) { throw }; Start-Sleep -Seconds 1 }
    }
}
