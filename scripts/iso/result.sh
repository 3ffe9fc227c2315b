# shellcheck shell=bash disable=SC2154
# What is handed out: the ISO, its checksum, lists of packages, and the list of parts (SPDX) with their licences.

gather_result() {
    local live=$work/live base=$out/debvisor-$version-$arch
    rm -f "$base".*iso*
    mv "$live/debvisor-$arch.hybrid.iso" "$out/$iso_name"
    (cd "$out" && sha256sum "$iso_name" >"$iso_name.sha256")
    if [ -n "$sign_key" ]; then
        gpg --batch --yes --local-user "$sign_key" --armor --detach-sign "$out/$iso_name"
    fi
    dpkg_list "$work/node" >"$base.node.packages"
    dpkg_list "$live/chroot" >"$base.live.packages"
    (cd "$top" && node --import tsx scripts/iso/sbom.ts "$version" "$base.node.packages" "$base.live.packages") >"$base.spdx.json"
    (cd "$out" && ls -l "$iso_name" "$iso_name.sha256" "debvisor-$version-$arch".*)
}

# name, version, source, architecture by tabs
dpkg_list() {
    dpkg-query --admindir="$1/var/lib/dpkg" --show \
        --showformat='${binary:Package}\t${Version}\t${source:Package} ${source:Version}\t${Architecture}\n' | sort
}
