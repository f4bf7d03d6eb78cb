# Values that the daemon knows. $2 is the word at the cursor.
_peerctl_values() {
    local value about values=()
    while IFS=$'\t' read -r value about; do
        [[ $value == "$2"* ]] && values+=("$(printf %q "$value")")
    done < <(peerctl complete-values -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
    if [[ $2 != -* && ${#values[@]} -gt 0 ]]; then
        COMPREPLY=("${values[@]}")
    else
        _peerctl "$@"
    fi
}
complete -F _peerctl_values -o bashdefault -o default peerctl
