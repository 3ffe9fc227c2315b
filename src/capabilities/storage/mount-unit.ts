// The names that systemd gives to mounts. (systemd.unit(5): string escaping for inclusion in unit names)

/** As systemd-escape(1) --path --suffix=mount names it. */
export const mountUnit = (path: string): string =>
    `${path
        .slice(1)
        .replace(/[^A-Za-z0-9:_./]|^\./g, char => `\\x${char.charCodeAt(0).toString(16)}`)
        .replaceAll('/', '-')}.mount`
