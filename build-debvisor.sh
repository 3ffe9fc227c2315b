#!/bin/bash
# Builds the ISO: dist/debvisor-<version>-<arch>.hybrid.iso with its checksum, lists of what is in it, and the log.
#
# Usage: sudo ./build-debvisor.sh [--install-deps]
#   --install-deps   install what is missing on this machine; otherwise it is only named
#
# DEBVISOR_VERSION   in the name of the file and in /etc/debvisor-release; otherwise that of package.json
# DEBVISOR_DIST      trixie
# DEBVISOR_ARCH      amd64 (arm64 and riscv64 are experimental, and only on such a machine)
# DEBVISOR_MIRROR    Debian mirror to build from, such as http://ftp.debian.org/debian; otherwise that of /etc/apt
# DEBVISOR_FIRMWARE  all or none: firmware and microcode that is not free
# DEBVISOR_K8S       none or auto: Kubernetes' packages are not in the image yet; they come over the network
# DEBVISOR_FAST      1: keep what an earlier build has fetched (lb clean is left out), and pack less tightly
# DEBVISOR_SELFTEST  1: only look whether it could be built, and configure live-build
# DEBVISOR_SIGN_KEY  key of gpg to sign with
# DEBVISOR_WORK      folder to work in, 15 GB; otherwise .tools/iso
# SOURCE_DATE_EPOCH  the time of everything in the image, in seconds since 1970; otherwise that of the last commit
#
# Exit codes: 0 built, 1 a stage failed, 3 something is missing.
set -Eeuo pipefail
top=$(cd "$(dirname "$0")" && pwd)
export PATH="$top/.tools/node/bin:$PATH:/usr/sbin:/sbin"
for part in settings preflight stage builder node debian-installer live result; do
    # shellcheck source=/dev/null
    . "$top/scripts/iso/$part.sh"
done

install_deps=
for word in "$@"; do
    case $word in
    --install-deps) install_deps=1 ;;
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
        exit 0
        ;;
    *)
        echo "build-debvisor.sh: '$word' is no option; --help lists them." >&2
        exit 64
        ;;
    esac
done

read_settings
preflight "$install_deps"

apart "$0" "$@"
mkdir -p "$work" "$out"
begin_log

stage builder make_builder
stage configure configure_live
if [ "$selftest" = 1 ]; then
    say "Everything that the build needs is here, and live-build takes its configuration."
    exit 0
fi
stage package make_package
stage node make_node
stage 'node squashfs' squash_node
stage 'debian-installer' make_debian_installer
stage live make_live
stage result gather_result
end_log
