# shellcheck shell=bash disable=SC2154
# Stages: each is timed; one that fails is named, with the last lines of what it said.

# apart SCRIPT ARGUMENT…: begins the script anew with mounts and processes of its own. Whatever ends it, Ctrl-C or a kill,
# the kernel ends all that it began and takes its mounts away.
apart() {
    [ "${DEBVISOR_APART:-}" != 1 ] || return 0
    export DEBVISOR_APART=1
    exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$@"
}

begin_log() {
    log=$out/debvisor-$version-$arch.build.log
    : >"$log"
    timings=()
    began=$SECONDS
    trap 'interrupted INT' INT
    trap 'interrupted TERM' TERM
}

say() { printf '%s\n' "$*" | tee -a "$log"; }

interrupted() {
    trap - INT TERM
    printf '\nInterrupted while: %s. What was begun is thrown away; no mount is left.\n' "${current:-starting}" >&2
    exit 1
}

# stage NAME FUNCTION
stage() {
    local since=$SECONDS code=0
    current=$1
    printf '%-16s' "$1"
    printf '\n=== %s ===\n' "$1" >>"$log"
    # In the background, so that Ctrl-C is heard at once.
    ( set -Eeuo pipefail; "$2" ) >>"$log" 2>&1 </dev/null &
    wait $! || code=$?
    if [ "$code" != 0 ]; then
        printf 'FAILED after %d s\n\n' $((SECONDS - since))
        tail -n 30 "$log"
        printf '\nStage "%s" failed (exit code %d). All that it said: %s\n' "$1" "$code" "$log"
        exit 1
    fi >&2
    timings+=("$(printf '%-16s %5d s' "$1" $((SECONDS - since)))")
    printf '%5d s\n' $((SECONDS - since))
}

end_log() {
    printf '\n=== seconds of each stage ===\n' >>"$log"
    printf '%s\n' "${timings[@]}" >>"$log"
    say "$(printf '%-16s%5d s' total $((SECONDS - began)))"
}

# again COMMAND…: up to four times, since a mirror may be away for a moment
again() {
    local pause code
    for pause in 5 20 60 0; do
        code=0
        # Not as a condition: in one, a function goes on after a command that failed.
        ( "$@" ) &
        wait $! || code=$?
        [ "$code" != 0 ] || return 0
        [ "$pause" != 0 ] || return "$code"
        echo "'$1' failed; once more in $pause s"
        sleep "$pause"
    done
}
