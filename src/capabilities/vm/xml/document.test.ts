// The tree keeps what it does not touch, and lets nothing in from outside the text.
import { expect, test } from 'vitest'
import {
    append,
    build,
    ensure,
    find,
    parseRoot,
    parseXml,
    remove,
    renderXml,
    serializeXml,
    setAttribute,
    setText,
    setTextAt,
    structureOf,
} from './document.ts'

const edited = (xml: string, change: (root: ReturnType<typeof parseRoot>) => void): string => {
    const root = parseXml(xml).documentElement!
    change(root)
    return serializeXml(root.ownerDocument!)
}

test('comments, namespaces, CDATA, instructions and white space survive', () => {
    const xml = `<?xml version="1.0"?>
<!-- before -->
<domain xmlns:q="http://libvirt.org/schemas/domain/qemu/1.0">
  <!-- a -->
  <name>x &lt;&amp; y</name>
\t<q:commandline><q:arg value="-a &quot;b&quot;"/></q:commandline>
  <d><![CDATA[<raw>]]></d>  <?keep this?>
</domain>`
    expect(serializeXml(parseXml(xml))).toBe(xml)
})

test.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['a document type behind a comment', '<?xml version="1.0"?><!-- c --><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
    ['an entity nobody knows', '<a>&secret;</a>'],
    ['an open element', '<a><b></a>'],
    ['nothing', ''],
    ['two roots', '<a/><b/>'],
    ['a prefix without a namespace', '<a><x:b/></a>'],
    ['a NUL', '<a>\u0000</a>'],
    ['more than libvirt takes', `<a>${'x'.repeat(4_194_304)}</a>`],
])('%s is refused', (_, xml) => {
    expect(() => parseXml(xml)).toThrow('not an XML document')
})

test('a domain is asked for, a network is given', () => {
    expect(() => parseRoot('<network/>', 'domain')).toThrow('<network> where <domain> belongs')
})

test('new elements take the indentation of their neighbours, and leave it when they go', () => {
    const xml = '<a>\n    <b/>\n    <d/>\n</a>'
    let made = edited(xml, root =>
        append(root, build(root.ownerDocument!, { name: 'c', children: [{ name: 'e' }] }), find(root, 'd')),
    )
    expect(made).toBe('<a>\n    <b/>\n    <c><e/></c>\n    <d/>\n</a>')
    made = edited(made, root => remove(find(root, 'c')!))
    expect(made).toBe(xml)
    expect(edited(xml, root => append(root, build(root.ownerDocument!, { name: 'z' })))).toBe(
        '<a>\n    <b/>\n    <d/>\n    <z/>\n</a>',
    )
})

test('values are escaped, and equal values touch nothing', () => {
    const text = `"<>&'\u{1f600}\n`
    const made = renderXml({ name: 'a', attributes: { v: text, gone: undefined }, text })
    const root = parseRoot(made, 'a')
    expect(root.getAttribute('v')).toBe(text)
    expect(root.textContent).toBe(text)
    expect(
        edited('<a b="1"><!-- c -->t</a>', r => {
            setAttribute(r, 'b', '1')
            setText(r, 't')
        }),
    ).toBe('<a b="1"><!-- c -->t</a>')
    expect(edited('<a b="1"><!-- c -->t</a>', r => setText(r, 'u'))).toBe('<a b="1"><!-- c -->u</a>')
})

test('paths are made and taken away', () => {
    const made = edited('<a/>', root => {
        setTextAt(root, 'b/c', 'x')
        ensure(root, 'b/d')
    })
    expect(structureOf(parseXml(made).documentElement!)).toEqual(
        structureOf(parseXml('<a><b><c>x</c><d/></b></a>').documentElement!),
    )
    expect(edited('<a><b><c>x</c></b></a>', root => setTextAt(root, 'b/c', undefined))).toBe('<a><b/></a>')
})

test('structure tells attributes, order and namespaces apart, not the way they are written', () => {
    const of = (xml: string) => structureOf(parseXml(xml).documentElement!)
    expect(of(`<a y='2' x='1'> <b></b>\n</a>`)).toEqual(of('<a x="1" y="2"><b/></a>'))
    expect(of('<a><b/><c/></a>')).not.toEqual(of('<a><c/><b/></a>'))
    expect(of('<a xmlns:p="u"><p:b/></a>')).toEqual(of('<a xmlns:q="u"><q:b/></a>'))
    expect(of('<a xmlns:p="u"><p:b/></a>')).not.toEqual(of('<a xmlns:p="v"><p:b/></a>'))
})
