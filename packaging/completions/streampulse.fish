# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_streampulse_global_optspecs
    string join \n config= h/help V/version
end

function __fish_streampulse_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_streampulse_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_streampulse_using_subcommand
    set -l cmd (__fish_streampulse_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c streampulse -n "__fish_streampulse_needs_command" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_needs_command" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_needs_command" -s V -l version -d 'Print version'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "serve" -d 'Run the service (the default command)'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "setup" -d 'After the installation: where the dashboard is, the password for the first sign-in, and what to do next'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "demo" -d 'Run the whole service with simulated cameras, some of them broken, on a temporary directory'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "check-config" -d 'Say what is wrong or odd in a configuration file; exit 0 when the service would take it, 78 when not'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "config" -d 'Read or change the configuration file; a running service takes the change within seconds'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "probe" -d 'Probe one camera now and say what was found; exit 0 when there is a picture, 1 when there is not'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "backup" -d 'Write the configuration, the history and the pictures of incidents into one file, also while the service runs'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "restore" -d 'Put a backup in the place of what is there, which is kept aside. The service must not run meanwhile'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "import" -d 'Take over the history of StreamPulse 2 (the Python service); again, only what is new in the file. The service must not run meanwhile'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "user" -d 'Who may sign in; also while the service runs'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "token" -d 'Keys for programs (API tokens); also while the service runs'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "mqtt-watch" -d 'Show what arrives at the MQTT broker of the configuration: whether it is reached, and what this service and others send'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "worker" -d 'Probe cameras for a monitor (internal)'
complete -c streampulse -n "__fish_streampulse_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand serve" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand serve" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand setup" -l wait -d 'Wait this long for a service that is being started' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand setup" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand setup" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand demo" -l listen -d 'Where the dashboard listens' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand demo" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand demo" -l cameras-only -d 'Only play the cameras, and print them as config.yaml has them: for another service to watch'
complete -c streampulse -n "__fish_streampulse_using_subcommand demo" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand check-config" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -f -a "get" -d 'Print the file, or what stands at a path, with *** in the place of every secret; exit 1 when it is not in the file'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -f -a "set" -d 'Put a value there; comments, order and quotes of the rest stay as they are'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -f -a "unset" -d 'Take a key or an item of a list out'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and not __fish_seen_subcommand_from get set unset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from get" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from set" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from unset" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "get" -d 'Print the file, or what stands at a path, with *** in the place of every secret; exit 1 when it is not in the file'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "set" -d 'Put a value there; comments, order and quotes of the rest stay as they are'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "unset" -d 'Take a key or an item of a list out'
complete -c streampulse -n "__fish_streampulse_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l snapshot -d 'Write the picture there, in full size' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l timeout -d 'Deadline, for example 10s or 500ms' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l transport -d 'RTP transport' -r -f -a "auto\t''
tcp\t''
udp\t''"
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l hardware -d 'Hardware decoders: where they work, never, or nothing else [default: probe.hardware of a configured stream, else auto]' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l ca-file -d 'Trust the certificate authorities in this file beside the system\'s' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l tls-fingerprint -d 'Take only the certificate with this fingerprint (SHA-256)' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l json -d 'Print one JSON object'
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -s v -l verbose -d 'Say which decoders there are, and why one is not used; and of a probe that failed, what was asked and answered'
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l force -d 'Ask the camera also while the service leaves it alone because it refused the password'
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -l insecure -d 'Take any certificate'
complete -c streampulse -n "__fish_streampulse_using_subcommand probe" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand backup" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand backup" -l replace -d 'Replace the file when it is there'
complete -c streampulse -n "__fish_streampulse_using_subcommand backup" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand restore" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand restore" -l check -d 'Only look it over: whether it is whole, and whether this version can use it. Nothing is changed'
complete -c streampulse -n "__fish_streampulse_using_subcommand restore" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand import" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand import" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "add" -d 'Add an account; its password is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "passwd" -d 'Change the password of an account, which ends its sessions; it is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "set" -d 'Change role or groups of an account'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "list" -d 'List the accounts'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "remove" -d 'Remove an account with its sessions'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and not __fish_seen_subcommand_from add passwd set list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from add" -l role -d 'What it may do' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from add" -l group -d 'A group whose streams it sees; again for more. Without any: every stream' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from add" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from add" -l must-change -d 'The password must be changed at the first sign-in'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from passwd" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from passwd" -l must-change -d 'It must be changed at the next sign-in'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from set" -l role -d 'What it may do from now on' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from set" -l group -d 'A group whose streams it sees from now on; again for more' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from set" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from set" -l all-groups -d 'It sees every stream from now on'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from remove" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add an account; its password is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "passwd" -d 'Change the password of an account, which ends its sessions; it is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "set" -d 'Change role or groups of an account'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the accounts'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove an account with its sessions'
complete -c streampulse -n "__fish_streampulse_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -f -a "create" -d 'Make a token and print it, this once, on standard output'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -f -a "list" -d 'List the tokens'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -f -a "revoke" -d 'Revoke a token'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -f -a "rotate-secret" -d 'Make a new signing key: every access token and signed link of before ends, sessions go on'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and not __fish_seen_subcommand_from create list revoke rotate-secret help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from create" -l role -d 'What it may do' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from create" -l group -d 'A group whose streams it sees; again for more. Without any: every stream' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from create" -l expires-in-days -d 'Days until it expires. Without: it does not' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from create" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from revoke" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from rotate-secret" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from rotate-secret" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "create" -d 'Make a token and print it, this once, on standard output'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the tokens'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Revoke a token'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "rotate-secret" -d 'Make a new signing key: every access token and signed link of before ends, sessions go on'
complete -c streampulse -n "__fish_streampulse_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -l count -d 'End after so many messages' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -l time -d 'End after this time, for example 30s' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -l json -d 'Print one JSON object for each message'
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -l full -d 'Show long messages whole'
complete -c streampulse -n "__fish_streampulse_using_subcommand mqtt-watch" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -l decode-slots -d 'Decoding threads' -r
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -l config -d 'The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml]' -r -F
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -l hardware -d 'Open the hardware decoders, if there are any'
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -l background -d 'Run when nobody else wants the processor'
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -l warm-registry -d 'Only look for plugins and write the registry'
complete -c streampulse -n "__fish_streampulse_using_subcommand worker" -s h -l help -d 'Print help'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "serve" -d 'Run the service (the default command)'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "setup" -d 'After the installation: where the dashboard is, the password for the first sign-in, and what to do next'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "demo" -d 'Run the whole service with simulated cameras, some of them broken, on a temporary directory'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "check-config" -d 'Say what is wrong or odd in a configuration file; exit 0 when the service would take it, 78 when not'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "config" -d 'Read or change the configuration file; a running service takes the change within seconds'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "probe" -d 'Probe one camera now and say what was found; exit 0 when there is a picture, 1 when there is not'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "backup" -d 'Write the configuration, the history and the pictures of incidents into one file, also while the service runs'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "restore" -d 'Put a backup in the place of what is there, which is kept aside. The service must not run meanwhile'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "import" -d 'Take over the history of StreamPulse 2 (the Python service); again, only what is new in the file. The service must not run meanwhile'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "user" -d 'Who may sign in; also while the service runs'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "token" -d 'Keys for programs (API tokens); also while the service runs'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "mqtt-watch" -d 'Show what arrives at the MQTT broker of the configuration: whether it is reached, and what this service and others send'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "worker" -d 'Probe cameras for a monitor (internal)'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and not __fish_seen_subcommand_from serve setup demo check-config config probe backup restore import user token mqtt-watch worker help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "get" -d 'Print the file, or what stands at a path, with *** in the place of every secret; exit 1 when it is not in the file'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "set" -d 'Put a value there; comments, order and quotes of the rest stay as they are'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "unset" -d 'Take a key or an item of a list out'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "add" -d 'Add an account; its password is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "passwd" -d 'Change the password of an account, which ends its sessions; it is asked for, or read from standard input'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "set" -d 'Change role or groups of an account'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "list" -d 'List the accounts'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "remove" -d 'Remove an account with its sessions'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "create" -d 'Make a token and print it, this once, on standard output'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "list" -d 'List the tokens'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Revoke a token'
complete -c streampulse -n "__fish_streampulse_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "rotate-secret" -d 'Make a new signing key: every access token and signed link of before ends, sessions go on'
