#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Puts the Dockwright agent on this machine and starts it: install.ps1 -Wheel dockwright-1.0-py3-none-any.whl
.DESCRIPTION
It needs Python 3.11 or newer, installed for all users. The agent gets an environment of its own, made beside the old
one and then put in its place, and a task that Windows starts with the machine, as SYSTEM, which may use the engine's
pipe. (A service would need a program that speaks to the service manager; a task needs none, and its second trigger
starts it again within a minute, whatever has ended it.) It prints the agent's thumbprint and certificate. To run it
once more is to put another version in the place of this one; home, certificate and trusted peers stay.
#>
param(
    [Parameter(Mandatory)] [string] $Wheel,
    [string] $Folder = "$env:ProgramFiles\dockwright",
    [string] $Data = "$env:ProgramData\dockwright",
    [string] $Address = '0.0.0.0:10943'
)
Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
trap { [Console]::Error.WriteLine("$_"); exit 1 }

function Invoke-Program([string] $Program, [string[]] $Arguments, [string] $Doing) {
    $ErrorActionPreference = 'Continue' # what a program prints to stderr is no error yet
    $said = & $Program $Arguments 2>&1 | ForEach-Object { "$_" }
    if ($LASTEXITCODE) { throw "cannot ${Doing}: $($said | Select-Object -Last 1)" }
    $said
}

# What runs as SYSTEM is changed by administrators only, wherever it lies and whatever they are called in this language.
function Protect-Folder([string] $Path, [string[]] $More = @()) {
    $null = New-Item -ItemType Directory -Force $Path
    $null = Invoke-Program icacls.exe ($Path, '/setowner', '*S-1-5-32-544') "own $Path"
    $rights = @('/inheritance:r', '/grant:r', '*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F') + $More
    $null = Invoke-Program icacls.exe (@($Path) + $rights) "protect $Path"
}

$Folder, $Data = $Folder.TrimEnd('\'), $Data.TrimEnd('\')
foreach ($program in 'python.exe', 'docker.exe') {
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { throw "$program is not on the PATH; install it for all users" }
}
# What runs as SYSTEM is no file of a user's.
$unfit = 'import sys, venv; sys.exit(sys.version_info < (3, 11) and ''it is older than 3.11'' or ' +
'chr(92) + ''Users'' + chr(92) in sys.base_prefix and ''it is installed for one user'')'
$null = Invoke-Program python.exe @('-c', $unfit) 'use this Python'
$Wheel = (Resolve-Path -LiteralPath $Wheel).Path
$pip = '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-warn-script-location'

# Every user may make folders in ProgramData: one that was waiting there may hold peers to trust.
if (Test-Path $Data) {
    $owner = (Get-Acl $Data).GetOwner([Security.Principal.SecurityIdentifier]).Value
    if ($owner -notin 'S-1-5-18', 'S-1-5-32-544') { throw "$Data is not an administrator's; look into it, and remove it" }
}

"$Folder.new", "$Folder.old" | Where-Object { Test-Path $_ } | ForEach-Object { Remove-Item -Recurse -Force $_ }
Protect-Folder "$Folder.new" @('*S-1-5-32-545:(OI)(CI)RX')
$null = Invoke-Program python.exe @('-m', 'venv', "$Folder.new") 'make an environment'
$null = Invoke-Program "$Folder.new\Scripts\python.exe" ($pip + $Wheel) 'install the agent'
$null = Invoke-Program "$Folder.new\Scripts\python.exe" @('-P', '-m', 'agent.cli', '--version') 'start the agent'

# What runs cannot be moved on Windows: a deployment that is under way makes this fail, and goes on.
$task = @{ TaskName = 'Dockwright'; ErrorAction = 'SilentlyContinue' }
$null = Disable-ScheduledTask @task
Stop-ScheduledTask @task
Start-Sleep -Seconds 2
try {
    if (Test-Path $Folder) { Move-Item $Folder "$Folder.old" }
    Move-Item "$Folder.new" $Folder
    # dockwright.exe names its Python by the path that it was installed under, so it is made once more.
    $again = $pip + '--no-deps', '--no-index', '--force-reinstall', $Wheel
    $null = Invoke-Program "$Folder\Scripts\python.exe" $again 'put the agent in its place'
} catch {
    if (Test-Path "$Folder.old") {
        Remove-Item -Recurse -Force $Folder -ErrorAction SilentlyContinue
        Move-Item "$Folder.old" $Folder
    }
    $null = Enable-ScheduledTask @task
    Start-ScheduledTask @task
    throw
}
Remove-Item -Recurse -Force "$Folder.old" -ErrorAction SilentlyContinue

Protect-Folder $Data
$python = "$Folder\Scripts\python.exe"
$known = Invoke-Program $python @('-P', '-m', 'agent.cli', 'trust', 'show', '--home', $Data) 'make the certificate'

$listen = "-P -m agent.cli listen --address $Address --home ""$Data"""
$again = New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 1)
# Windows starts tasks with low priority, and none while a battery drains, unless it is told otherwise.
$settings = @{
    MultipleInstances          = 'IgnoreNew'
    ExecutionTimeLimit         = [TimeSpan]::Zero
    Priority                   = 4
    AllowStartIfOnBatteries    = $true
    DontStopIfGoingOnBatteries = $true
}
$task = @{
    TaskName  = 'Dockwright'
    Action    = New-ScheduledTaskAction -Execute $python -Argument $listen
    Trigger   = (New-ScheduledTaskTrigger -AtStartup), $again
    Principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
    Settings  = New-ScheduledTaskSettingsSet @settings
}
$null = Register-ScheduledTask @task -Force
$port = $Address.Split(':')[-1]
if ((Get-Service mpssvc).Status -eq 'Running') {
    Remove-NetFirewallRule -Name Dockwright -ErrorAction SilentlyContinue
    $null = New-NetFirewallRule -Name Dockwright -DisplayName 'Dockwright agent' -Protocol TCP -LocalPort $port
}
Start-ScheduledTask -TaskName Dockwright
$until = (Get-Date).AddSeconds(60)
while (-not (Get-NetTCPConnection -State Listen -LocalPort $port -ErrorAction SilentlyContinue)) {
    if ((Get-Date) -gt $until) { throw "it does not listen at port $port; to see why, run & '$python' $listen" }
    Start-Sleep -Seconds 1
}
$known
"To trust a peer, there: & '$Folder\Scripts\dockwright.exe' trust add NAME --certificate FILE --thumbprint SHA256 --home '$Data'"
