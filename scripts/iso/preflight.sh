# shellcheck shell=bash disable=SC2154
# What a build needs of this machine; all that is missing is said at once, and nothing is installed without being told.

needed_packages='mmdebstrap debhelper dpkg-dev xorriso squashfs-tools util-linux git'
space_gb=15

missing_packages() {
    local package
    for package in $needed_packages; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

preflight() {
    local missing=() packages free_kb parent
    [ -r /etc/debian_version ] || missing+=('Debian 12 or 13: this is another system')
    [ "$(id -u)" = 0 ] || missing+=('root: run it with sudo')
    packages=$(missing_packages | tr '\n' ' ')
    if [ -n "${packages// /}" ] && [ "$1" = 1 ] && [ "$(id -u)" = 0 ]; then
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get --yes --no-install-recommends install $packages
        packages=$(missing_packages | tr '\n' ' ')
    fi
    [ -z "${packages// /}" ] || missing+=("packages: ${packages% } (--install-deps installs them)")
    # Node and the npm packages are looked after as for every other verb.
    [ -d "$top/node_modules" ] || missing+=("npm packages: run scripts/setup deb")
    parent=$work
    while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
    free_kb=$(df --output=avail -k "$parent" | tail -n 1)
    [ "$free_kb" -ge $((space_gb * 1024 * 1024)) ] ||
        missing+=("space: $((free_kb / 1024 / 1024)) GB are free in $parent, $space_gb GB are needed (DEBVISOR_WORK names another folder)")
    case $(findmnt --noheadings --output OPTIONS --target "$parent" 2>/dev/null) in
    *nodev* | *noexec*) missing+=("a folder without nodev and noexec to work in, which $parent is not (DEBVISOR_WORK)") ;;
    esac
    mirror_answers "$mirror/dists/$dist/InRelease" || missing+=("the mirror: $mirror has no $dist, or does not answer")
    mirror_answers "$(security_mirror)/dists/$dist-security/InRelease" ||
        missing+=("the security archive: $(security_mirror) does not answer")
    if [ -n "$sign_key" ] && ! gpg --list-secret-keys "$sign_key" >/dev/null 2>&1; then
        missing+=("the key to sign with: gpg does not have $sign_key")
    fi
    [ ${#missing[@]} -gt 0 ] || return 0
    printf 'The build needs:\n' >&2
    printf '    %s\n' "${missing[@]}" >&2
    exit 3
}

# By apt's own downloader, which knows this machine's proxy; again when it did not answer at once.
mirror_answers() {
    local file tries
    file=$(mktemp)
    for tries in 1 2 3; do
        if /usr/lib/apt/apt-helper -q download-file "$1" "$file" >/dev/null 2>&1; then
            rm -f "$file"
            return 0
        fi
        sleep "$tries"
    done
    rm -f "$file"
    return 1
}
