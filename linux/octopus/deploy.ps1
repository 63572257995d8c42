# The step's bundle, the packages beside it and the variables, handed to dockwright on this machine.
# What dockwright tells comes back to Octopus as service messages: progress, output variables, the reason of a failure.
$ErrorActionPreference = 'Stop'

function Get-Given([string] $Name) {
    if ($OctopusParameters.ContainsKey($Name)) { $OctopusParameters[$Name] } else { '' }
}

function Get-OfPackage([string] $Reference, [string] $Name) { Get-Given "Octopus.Action.Package[$Reference].$Name" }

function Get-Names([string] $Parameter) {
    @((Get-Given $Parameter) -split "`r?`n" | ForEach-Object { $_.Trim() } | Where-Object { $_ })
}

$work = Join-Path ([IO.Path]::GetTempPath()) ('dockwright.' + [Guid]::NewGuid().ToString('N'))
$code = 1
try {
    $bundle = Get-OfPackage 'Bundle' 'ExtractedPath'
    if (-not $bundle -or -not (Test-Path -LiteralPath (Join-Path $bundle 'step.yaml'))) {
        Fail-Step 'the bundle package holds no step.yaml at its top; pack it with: dockwright pack'
    }
    $folder = Join-Path $work 'bundle'
    $packages = Join-Path $folder 'packages'
    [void] (New-Item -ItemType Directory -Path $work)
    Copy-Item -LiteralPath $bundle -Destination $folder -Recurse
    [void] (New-Item -ItemType Directory -Path $packages -Force)
    foreach ($name in Get-Names 'Dockwright.Packages') {
        $file = Get-OfPackage $name 'PackageFilePath'
        if (-not $file -or -not (Test-Path -LiteralPath $file)) {
            Fail-Step "the package reference $name has no file here; see that the step acquires it"
        }
        $extension = if ($file -match '\.tar\.[^.]+$') { $Matches[0] } else { [IO.Path]::GetExtension($file) }
        $staged = (Get-OfPackage $name 'PackageId') + '.' + (Get-OfPackage $name 'PackageVersion') + $extension
        Copy-Item -LiteralPath $file -Destination (Join-Path $packages $staged)
    }

    $sensitive = Get-Names 'Dockwright.SensitiveVariables'
    $entries = @($OctopusParameters.Keys | ForEach-Object {
            [ordered] @{ k = $_; v = [string] $OctopusParameters[$_]; s = [bool] ($sensitive -contains $_) }
        })
    $variables = Join-Path $work 'variables.json'
    $json = ConvertTo-Json -InputObject $entries -Depth 3 -Compress
    [IO.File]::WriteAllText($variables, $json, (New-Object Text.UTF8Encoding $false))

    $arguments = @('run', $folder, '--variables', $variables, '--output', 'octopus')
    foreach ($option in 'Host', 'Home') {
        $value = Get-Given "Dockwright.$option"
        if ($value) { $arguments += @("--$($option.ToLowerInvariant())", $value) }
    }
    $command = Get-Given 'Dockwright.Command'
    if (-not $command) { $command = 'dockwright' }
    & $command @arguments
    $code = $LASTEXITCODE
}
finally {
    if (Test-Path -LiteralPath $work) { Remove-Item -LiteralPath $work -Recurse -Force }
}
exit $code
