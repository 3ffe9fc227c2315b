# shellcheck shell=bash disable=SC2034,SC2154
# The settings of a build, from the environment, each checked; all that is wrong is said at once.

# What the image asks for updates once it is installed, whatever it was built from.
public_mirror=http://ftp.debian.org/debian
public_security=http://security.debian.org/debian-security

read_settings() {
    local wrong=()
    dist=${DEBVISOR_DIST:-trixie}
    [ "$dist" = trixie ] || wrong+=("DEBVISOR_DIST=$dist: only trixie can be built")
    arch=${DEBVISOR_ARCH:-amd64}
    case $arch in
    amd64) ;;
    arm64 | riscv64)
        [ "$(dpkg --print-architecture)" = "$arch" ] ||
            wrong+=("DEBVISOR_ARCH=$arch: the kernel's modules are built in the image, which takes a machine of that kind")
        ;;
    *) wrong+=("DEBVISOR_ARCH=$arch: there are amd64, arm64 and riscv64") ;;
    esac
    version=${DEBVISOR_VERSION:-$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$top/package.json")}
    [[ $version =~ ^[0-9][0-9A-Za-z.+~-]*$ ]] || wrong+=("DEBVISOR_VERSION=$version: it begins with a digit and has only letters, digits and . + ~ - in it")
    firmware=${DEBVISOR_FIRMWARE:-all}
    case $firmware in all | none) ;; *) wrong+=("DEBVISOR_FIRMWARE=$firmware: it is all or none") ;; esac
    kubernetes=${DEBVISOR_K8S:-auto}
    case $kubernetes in
    none | auto) ;;
    bundle) wrong+=("DEBVISOR_K8S=bundle: Kubernetes' packages cannot be put into the image yet; a node fetches them") ;;
    *) wrong+=("DEBVISOR_K8S=$kubernetes: it is none or auto") ;;
    esac
    fast=${DEBVISOR_FAST:-0}
    selftest=${DEBVISOR_SELFTEST:-0}
    for name in fast selftest; do
        case ${!name} in 0 | 1) ;; *) wrong+=("DEBVISOR_${name^^}=${!name}: it is 0 or 1") ;; esac
    done
    sign_key=${DEBVISOR_SIGN_KEY:-}
    work=$(realpath -m "${DEBVISOR_WORK:-$top/.tools/iso}")
    out=$top/dist
    mirror=${DEBVISOR_MIRROR:-$(mirror_of_machine)}
    mirror=${mirror%/}
    # live-build answers a slash at the end with a path that no mirror has.
    case $mirror in
    http://* | https://*) ;;
    '') wrong+=("no Debian mirror stands in /etc/apt: name one with DEBVISOR_MIRROR") ;;
    *) wrong+=("DEBVISOR_MIRROR=$mirror: write it like $public_mirror") ;;
    esac
    epoch=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/package.json")}
    [[ $epoch =~ ^[0-9]+$ ]] || wrong+=("SOURCE_DATE_EPOCH=$epoch: it takes seconds since 1970")
    export SOURCE_DATE_EPOCH=$epoch
    iso_name=debvisor-$version-$arch.hybrid.iso
    if [ ${#wrong[@]} -gt 0 ]; then
        printf 'The build cannot begin:\n' >&2
        printf '    %s\n' "${wrong[@]}" >&2
        exit 3
    fi
}

# The first mirror of the main archive that this machine's apt uses. In shell, as Node may be what is missing.
mirror_of_machine() {
    cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -nE 's/^URIs: *(https?:[^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?(https?:[^ ]+).*/\2/p' |
        sed 's:/*$::' | grep -E '/debian$' | head -n 1 || :
}

# Its security archive: by its side, or Debian's own.
security_mirror() {
    if [ "$mirror" = "$public_mirror" ]; then echo "$public_security"; else echo "${mirror}-security"; fi
}
