// Every command that the documents show is one that the reference, which is made from the verbs, has.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from './stages.ts'

const reference = readFileSync(join(root, 'docs/reference/cli.md'), 'utf8')
const known = new Set([...reference.matchAll(/^### debvisor ([a-z]+ [a-z-]+)/gm)].map(([, words]) => words!))
const nouns = new Set([...known].map(words => words.split(' ')[0]!))
const folders = ['docs', 'bench', 'src/capabilities']
const documents = ['README.md'].concat(
    folders.flatMap(folder =>
        readdirSync(join(root, folder), { recursive: true })
            .map(name => join(folder, String(name)))
            .filter(name => name.endsWith('.md')),
    ),
)

/** The two words after `debvisor`, where the first is one that commands begin with. */
function commandsIn(text: string): string[] {
    return [...text.matchAll(/\bdebvisor ([a-z]+) ([a-z-]+)(?![\w/.])/g)]
        .filter(([, noun]) => nouns.has(noun!))
        .map(([, noun, verb]) => `${noun} ${verb}`)
}

it('finds the documents and the commands in them', () => {
    expect(documents.length).toBeGreaterThan(10)
    expect(commandsIn('    debvisor vm add-disk web1 20G\n`debvisor token list`')).toEqual([
        'vm add-disk',
        'token list',
    ])
    expect(known.size).toBeGreaterThan(40)
})

it.each(documents)('%s', document => {
    const shown = commandsIn(readFileSync(join(root, document), 'utf8'))
    const unknown = shown.filter(command => !known.has(command))
    expect(unknown).toEqual([])
})
