// The test vectors of the SHA-crypt specification.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { cryptSha512, saltFrom } from './sha512crypt.ts'

const digest = async (bytes: Uint8Array): Promise<Uint8Array> => createHash('sha512').update(bytes).digest()

test.each([
    [
        'Hello world!',
        'saltstring',
        5000,
        '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
        'Hello world!',
        'saltstringsaltstring',
        10_000,
        '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    ],
    [
        'we have a short salt string but not a short password',
        'short',
        77_777,
        '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
    ],
    [
        'the minimum number is still observed',
        'roundstoolow',
        10,
        '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.',
    ],
])('%s with %s', async (password, salt, rounds, expected) => {
    expect(await cryptSha512(password, salt, digest, rounds)).toBe(expected)
})

test('salt comes from random bytes', () => {
    expect(saltFrom(new Uint8Array([0, 1, 63, 64]))).toBe('./z.')
})
