# Values that the daemon knows.
_peerctl_values() {
    local -a typed values
    local value about
    # The words that are whole; what completes a verb sees only its own.
    typed=(${(Q)${(z)LBUFFER}})
    [[ $LBUFFER == *' ' ]] || typed[-1]=()
    peerctl complete-values -- "${(@)typed[2,-1]}" 2>/dev/null | while IFS=$'\t' read -r value about; do
        values+=("${value//:/\\:}:$about")
    done
    _describe -V value values
}
