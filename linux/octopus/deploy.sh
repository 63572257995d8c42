# The step's bundle, the packages beside it and the variables, handed to dockwright on this machine.
# What dockwright tells comes back to Octopus as service messages: progress, output variables, the reason of a failure.
set -e
umask 077
memory=/dev/shm
if [ ! -d "$memory" ] || [ ! -w "$memory" ]; then memory=${TMPDIR:-/tmp}; fi
work=$(mktemp -d "${TMPDIR:-/tmp}/dockwright.XXXXXX")
private=$(mktemp -d "$memory/dockwright.XXXXXX")
trap 'rm -rf "$work" "$private"' EXIT
trap 'exit 143' TERM

of_package() { get_octopusvariable "Octopus.Action.Package[$1].$2"; }

json_string() {
    local text=$1 code character escape
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    for ((code = 1; code < 32; code++)); do
        printf -v character "\\x$(printf '%x' "$code")"
        printf -v escape '\\u%04x' "$code"
        text=${text//"$character"/"$escape"}
    done
    printf '"%s"' "$text"
}

add_variable() { # NAME VALUE SENSITIVE
    if [ -n "$2" ]; then
        printf '%s{"k":%s,"v":%s,"s":%s}' "$separator" "$(json_string "$1")" "$(json_string "$2")" "$3" >>"$variables"
        separator=,
    fi
}

add_named() { # SENSITIVE, and names on standard input, one a line
    while IFS= read -r name || [ -n "$name" ]; do
        name=${name%$'\r'}
        if [ -n "$name" ]; then add_variable "$name" "$(get_octopusvariable "$name")" "$1"; fi
    done
}

bundle=$(of_package Bundle ExtractedPath)
if [ ! -f "$bundle/step.yaml" ]; then fail_step "the bundle package holds no step.yaml at its top; pack it with: dockwright pack"; fi
cp -R "$bundle/." "$work"
mkdir -p "$work/packages"
while IFS= read -r name || [ -n "$name" ]; do
    name=${name%$'\r'}
    if [ -z "$name" ]; then continue; fi
    file=$(of_package "$name" PackageFilePath)
    if [ ! -f "$file" ]; then fail_step "the package reference $name has no file here; see that the step acquires it"; fi
    case "$file" in *.tar.*) extension=.tar.${file##*.} ;; *) extension=.${file##*.} ;; esac
    cp "$file" "$work/packages/$(of_package "$name" PackageId).$(of_package "$name" PackageVersion)$extension"
done <<<"$(get_octopusvariable Dockwright.Packages)"

variables=$private/variables.json
separator=
printf '[' >"$variables"
if [[ "$(declare -p octopus_parameters 2>/dev/null)" == "declare -A"* ]]; then
    for name in "${!octopus_parameters[@]}"; do add_variable "$name" "${octopus_parameters[$name]}" false; done
fi
add_named false <<'NAMES'
Octopus.Space.Id
Octopus.Space.Name
Octopus.Project.Id
Octopus.Project.Name
Octopus.Environment.Id
Octopus.Environment.Name
Octopus.Deployment.Id
Octopus.Deployment.Name
Octopus.Deployment.Tenant.Id
Octopus.Deployment.Tenant.Name
Octopus.Release.Id
Octopus.Release.Number
Octopus.Release.Channel.Name
Octopus.Runbook.Id
Octopus.Runbook.Name
Octopus.RunbookRun.Id
Octopus.RunbookSnapshot.Name
Octopus.Machine.Id
Octopus.Machine.Name
Octopus.Step.Id
Octopus.Step.Name
Octopus.Action.Id
Octopus.Action.Name
Octopus.Task.Id
NAMES
add_named false <<<"$(get_octopusvariable Dockwright.Variables)"
add_named true <<<"$(get_octopusvariable Dockwright.SensitiveVariables)"
printf ']' >>"$variables"

arguments=(run "$work" --variables "$variables" --output octopus)
host=$(get_octopusvariable Dockwright.Host)
home=$(get_octopusvariable Dockwright.Home)
if [ -n "$host" ]; then arguments+=(--host "$host"); fi
if [ -n "$home" ]; then arguments+=(--home "$home"); fi
command=$(get_octopusvariable Dockwright.Command)
code=0
"${command:-dockwright}" "${arguments[@]}" &
trap 'kill -TERM $!; wait $! || true; exit 143' TERM INT
wait $! || code=$?
exit "$code"
