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
$going | Where-Object { Test-Path $_ } | ForEach-Object { Remove-Item -Recurse -Force $_ }
