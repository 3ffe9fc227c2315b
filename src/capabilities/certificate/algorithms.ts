// The algorithms of keys that sign updates of a DNS zone (TSIG, RFC 8945), the usual one first.
export const ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512', 'hmac-sha224', 'hmac-sha1', 'hmac-md5'] as const
