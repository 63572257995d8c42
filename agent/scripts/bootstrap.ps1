# Gives a PowerShell script the functions that Octopus gives one: pwsh -File FOLDER/bootstrap.ps1 SCRIPT [ARGUMENT...]
# Windows PowerShell 5 and newer ones. What a script says goes to standard output, as service messages.
param([string] $DockwrightScript)

$ErrorActionPreference = 'Stop'
try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { }  # there may be no console

$DockwrightFile = Join-Path $PSScriptRoot 'variables'
$OctopusParameters = New-Object 'System.Collections.Generic.Dictionary[String,String]' ([StringComparer]::OrdinalIgnoreCase)
foreach ($DockwrightLine in [IO.File]::ReadAllLines($DockwrightFile)) {
    $DockwrightPair = $DockwrightLine.Split(' ') |
        ForEach-Object { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($_)) }
    $OctopusParameters[$DockwrightPair[0]] = $DockwrightPair[1]
}
Remove-Item -LiteralPath $DockwrightFile -Force

function ConvertTo-DockwrightText([string] $Text) {
    [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($Text))
}

function Write-DockwrightMessage([string] $Name, [Collections.IDictionary] $Properties = @{}) {
    $Parts = @($Properties.Keys | ForEach-Object { " $_='" + (ConvertTo-DockwrightText $Properties[$_]) + "'" })
    [Console]::Out.WriteLine('##octopus[' + $Name + ($Parts -join '') + ']')
}

function Write-DockwrightLine([string] $Level, [string] $Text) {
    Write-DockwrightMessage "stdout-$Level"
    [Console]::Out.WriteLine($Text)
    Write-DockwrightMessage 'stdout-default'
}

function Get-OctopusVariable([string] $name) {
    if ($OctopusParameters.ContainsKey($name)) { $OctopusParameters[$name] }
}

function Set-OctopusVariable([string] $name, [string] $value, [switch] $sensitive) {
    $OctopusParameters[$name] = $value
    $Properties = [ordered] @{ name = $name; value = $value }
    if ($sensitive) { $Properties['sensitive'] = 'True' }
    Write-DockwrightMessage 'setVariable' $Properties
}

function New-OctopusArtifact([string] $path, [string] $name = '') {
    if (-not $name) { $name = [IO.Path]::GetFileName($path) }
    $full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($path)
    Write-DockwrightMessage 'createArtifact' ([ordered] @{ path = $full; name = $name; length = '0' })
}

function Update-Progress([int] $percentage, [string] $message = '') {
    Write-DockwrightMessage 'progress' ([ordered] @{ percentage = "$percentage"; message = $message })
}

function Fail-Step([string] $message = '') {
    if ($message) { Write-DockwrightMessage 'resultMessage' @{ message = $message } }
    exit 1
}

function Write-Verbose([string] $Message) { Write-DockwrightLine 'verbose' $Message }
function Write-Warning([string] $Message) { Write-DockwrightLine 'warning' $Message }
function Write-Highlight([string] $Message) { Write-DockwrightLine 'highlight' $Message }
function Write-Wait([string] $Message) { Write-DockwrightLine 'wait' $Message }

$global:LASTEXITCODE = 0
. $DockwrightScript @args
exit $global:LASTEXITCODE
