# Values that the daemon knows.
function __fish_peerctl_values
    peerctl complete-values -- (commandline -opc)[2..] 2>/dev/null
end
complete -c peerctl -n 'count (__fish_peerctl_values) >/dev/null' -f -k -a '(__fish_peerctl_values)'
