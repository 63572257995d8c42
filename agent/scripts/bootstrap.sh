# Gives a shell script the functions that Octopus gives one: sh FOLDER/bootstrap.sh SCRIPT [ARGUMENT...]
# Any POSIX shell will do, whatever the script sets (-eu). What a script says goes to standard output, as service messages.

. "${0%/*}/variables"
rm -f "${0%/*}/variables"

if command -v base64 >/dev/null 2>&1; then
    dockwright_encoder() { base64; }
else
    dockwright_encoder() { openssl base64; }
fi

dockwright_encode() { printf '%s' "$1" | dockwright_encoder | tr -d '\r\n'; }

dockwright_say() {
    printf '##octopus[stdout-%s]\n' "$1"
    shift
    printf '%s\n' "$*"
    printf '##octopus[stdout-default]\n'
}

# set_octopusvariable NAME VALUE [-sensitive]
set_octopusvariable() {
    dockwright_sensitive=
    if [ "${3:-}" = "-sensitive" ]; then dockwright_sensitive=" sensitive='$(dockwright_encode True)'"; fi
    printf "##octopus[setVariable name='%s' value='%s'%s]\n" \
        "$(dockwright_encode "$1")" "$(dockwright_encode "${2:-}")" "$dockwright_sensitive"
}

# new_octopusartifact PATH [NAME]
new_octopusartifact() {
    case "$1" in /*) dockwright_path=$1 ;; *) dockwright_path=$PWD/$1 ;; esac
    printf "##octopus[createArtifact path='%s' name='%s' length='%s']\n" \
        "$(dockwright_encode "$dockwright_path")" "$(dockwright_encode "${2:-${1##*/}}")" "$(dockwright_encode 0)"
}

# update_progress PERCENTAGE [MESSAGE]
update_progress() {
    printf "##octopus[progress percentage='%s' message='%s']\n" "$(dockwright_encode "$1")" "$(dockwright_encode "${2:-}")"
}

# fail_step [MESSAGE]
fail_step() {
    if [ -n "${1:-}" ]; then printf "##octopus[resultMessage message='%s']\n" "$(dockwright_encode "$1")"; fi
    exit 1
}

write_verbose() { dockwright_say verbose "$@"; }
write_highlight() { dockwright_say highlight "$@"; }
write_wait() { dockwright_say wait "$@"; }
write_warning() { dockwright_say warning "$@"; }
write_error() { dockwright_say error "$@"; }

dockwright_script=$1
shift
. "$dockwright_script"
