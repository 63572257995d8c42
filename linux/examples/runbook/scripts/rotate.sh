# Makes a new password from the old one's hash. Nobody who looks at the container sees either.
old=$(get_octopusvariable Shop:Password)
new=$(printf '%s%s' "$old" "$(get_octopusvariable Octopus.RunbookRun.Id)" | sha256sum | cut -c 1-24)

set_octopusvariable NewPassword "$new" -sensitive
set_octopusvariable Words "$(wc -l < words.txt)"

echo "rotated for $(get_octopusvariable Octopus.Environment.Name)" > /tmp/rotation.txt
new_octopusartifact /tmp/rotation.txt
write_highlight "the shop's password in $(get_octopusvariable Octopus.Environment.Name) has a successor"
