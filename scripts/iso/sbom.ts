// The list of parts of an image as SPDX 2.3: Debian's packages with their sources, and what is bundled into our programs.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { allParts, type Part } from '../licences.ts'

export interface DebianPackage {
    name: string
    version: string
    architecture: string
}

/** Lines of the lists that the build writes: name, version, source, architecture, by tabs. */
export const packagesOf = (text: string): DebianPackage[] =>
    text
        .split('\n')
        .filter(Boolean)
        .map(line => {
            const [name = '', version = '', , architecture = ''] = line.split('\t')
            return { name: name.replace(/:.*/, ''), version, architecture }
        })

interface Wish {
    version: string
    seconds: number
    debian: readonly DebianPackage[]
    bundled: readonly Part[]
}

/** The same inputs give the same text. */
export function sbomOf({ version, seconds, debian, bundled }: Wish): object {
    const once = new Map(debian.map(one => [`${one.name}_${one.version}_${one.architecture}`, one]))
    const packages = [
        ...[...once.keys()].sort().map(key => {
            const { name, version: of, architecture } = once.get(key)!
            return entry({
                ...{ id: `deb-${key}`, name, version: of, licence: 'NOASSERTION' },
                purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(of)}?arch=${architecture}`,
            })
        }),
        ...bundled.map(({ name, version: of, licence }) =>
            entry({
                ...{ id: `npm-${name}-${of}`, name, version: of, licence: licence.replace(/^\((.*)\)$/, '$1') },
                purl: `pkg:npm/${name.replace('@', '%40')}@${of}`,
            }),
        ),
    ]
    return {
        spdxVersion: 'SPDX-2.3',
        dataLicense: 'CC0-1.0',
        SPDXID: 'SPDXRef-DOCUMENT',
        name: `debvisor-${version}`,
        documentNamespace: `https://debvisor.example/spdx/${version}/${seconds}`,
        creationInfo: {
            created: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
            creators: ['Tool: build-debvisor.sh'],
        },
        packages,
        relationships: packages.map(({ SPDXID }) => ({
            spdxElementId: 'SPDXRef-DOCUMENT',
            relationshipType: 'DESCRIBES',
            relatedSpdxElement: SPDXID,
        })),
    }
}

const entry = (of: { id: string; name: string; version: string; licence: string; purl: string }) => ({
    SPDXID: `SPDXRef-${of.id.replace(/[^A-Za-z0-9.-]/g, character => `-${character.charCodeAt(0).toString(16)}-`)}`,
    name: of.name,
    versionInfo: of.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: of.licence,
    copyrightText: 'NOASSERTION',
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: of.purl }],
})

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const [version = '', ...lists] = process.argv.slice(2)
    const sbom = sbomOf({
        version,
        seconds: Number(process.env.SOURCE_DATE_EPOCH),
        debian: lists.flatMap(path => packagesOf(readFileSync(path, 'utf8'))),
        bundled: allParts(['rpcd', 'rootd', 'debvisor', 'installer', 'panel']),
    })
    console.log(JSON.stringify(sbom, null, 1))
}
