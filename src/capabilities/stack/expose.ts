// The switch of the panel, written into the file itself: a reader of the file sees who reaches the ports. Pure.
import { isMap, parseDocument } from 'yaml'

const KEY = 'x-debvisor'

/** The file with that said of a service, or of all; comments and the order of keys stay. */
export function exposedFile(file: string, service: string, lan: boolean): string {
    const document = parseDocument(file)
    const say = (path: string[]) => {
        if (!document.hasIn(path) || !isMap(document.getIn(path))) document.setIn(path, document.createNode({}))
        document.setIn([...path, 'expose'], lan ? 'lan' : 'node')
    }
    if (service) say(['services', service, KEY])
    else {
        const services = document.get('services')
        if (isMap(services))
            for (const { key } of services.items) {
                const path = ['services', String(key), KEY]
                if (isMap(document.getIn(path))) document.deleteIn([...path, 'expose'])
            }
        say([KEY])
    }
    return document.toString({ lineWidth: 0 })
}
