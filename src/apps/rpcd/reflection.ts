// Server reflection from the descriptors that are compiled in: v1, and v1alpha for older tools.
import { clone, create, createFileRegistry, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import {
    type ServerReflectionRequest,
    type ServerReflectionResponse,
    ServerReflectionResponseSchema,
    ServerReflection as V1,
} from '../../gen/proto/apps/rpcd/reflection_pb.js'

const NOT_FOUND = 5
type Answer = ServerReflectionResponse['messageResponse']

/** Serves the reflection of `services`, and of itself. */
export function reflection(router: ConnectRouter, services: readonly DescService[]): void {
    const all = [...services, V1]
    const answer = answers(all)
    async function* info(requests: AsyncIterable<ServerReflectionRequest>) {
        for await (const request of requests) {
            yield create(ServerReflectionResponseSchema, {
                validHost: request.host,
                originalRequest: request,
                messageResponse: answer(request),
            })
        }
    }
    router.service(V1, { serverReflectionInfo: info })
    router.service(alpha(), { serverReflectionInfo: info as never })
}

function answers(services: readonly DescService[]): (request: ServerReflectionRequest) => Answer {
    const files = new Map<string, DescFile>()
    const add = (file: DescFile) => {
        files.set(file.proto.name, file)
        for (const dependency of file.dependencies) add(dependency)
    }
    for (const service of services) add(service.file)
    const registry = createFileRegistry(
        create(FileDescriptorSetSchema, { file: dependenciesFirst(services.map(s => s.file)) }),
    )
    const bytes = (file: DescFile): Answer => ({
        case: 'fileDescriptorResponse',
        value: { $typeName: 'grpc.reflection.v1.FileDescriptorResponse', fileDescriptorProto: closure(file) },
    })
    const missing = (what: string): Answer => ({
        case: 'errorResponse',
        value: {
            $typeName: 'grpc.reflection.v1.ErrorResponse',
            errorCode: NOT_FOUND,
            errorMessage: `there is no ${what}`,
        },
    })
    return ({ messageRequest: ask }) => {
        switch (ask.case) {
            case 'listServices':
                return {
                    case: 'listServicesResponse',
                    value: {
                        $typeName: 'grpc.reflection.v1.ListServiceResponse',
                        service: services.map(s => ({
                            $typeName: 'grpc.reflection.v1.ServiceResponse' as const,
                            name: s.typeName,
                        })),
                    },
                }
            case 'fileByFilename': {
                const file = files.get(ask.value)
                return file ? bytes(file) : missing(`file ${ask.value}`)
            }
            case 'fileContainingSymbol': {
                const found = registry.get(ask.value) ?? registry.get(ask.value.replace(/\.[^.]+$/, ''))
                return found ? bytes(found.file) : missing(`symbol ${ask.value}`)
            }
            case 'fileContainingExtension': {
                const { containingType, extensionNumber } = ask.value
                for (const type of registry) {
                    if (type.kind !== 'extension' || type.number !== extensionNumber) continue
                    if (type.extendee.typeName === containingType) return bytes(type.file)
                }
                return missing(`extension ${extensionNumber} of ${containingType}`)
            }
            case 'allExtensionNumbersOfType': {
                const extensionNumber = [...registry].flatMap(type =>
                    type.kind === 'extension' && type.extendee.typeName === ask.value ? [type.number] : [],
                )
                return {
                    case: 'allExtensionNumbersResponse',
                    value: {
                        $typeName: 'grpc.reflection.v1.ExtensionNumberResponse',
                        baseTypeName: ask.value,
                        extensionNumber,
                    },
                }
            }
            default:
                return missing('such question')
        }
    }
}

/** The file and all it needs, so that a client need not ask again. */
const closure = (file: DescFile): Uint8Array[] =>
    dependenciesFirst([file]).map(proto => toBinary(FileDescriptorProtoSchema, proto))

function dependenciesFirst(files: readonly DescFile[]): FileDescriptorProto[] {
    const seen = new Map<string, FileDescriptorProto>()
    const add = (file: DescFile) => {
        if (seen.has(file.proto.name)) return
        for (const dependency of file.dependencies) add(dependency)
        seen.set(file.proto.name, file.proto)
    }
    for (const file of files) add(file)
    return [...seen.values()]
}

/** The same service under its older package, made from the one description. */
function alpha(): DescService {
    const [copy, ...rest] = dependenciesFirst([V1.file])
        .reverse()
        .map(proto => clone(FileDescriptorProtoSchema, proto))
    copy!.name = 'apps/rpcd/reflection_v1alpha.proto'
    copy!.package = 'grpc.reflection.v1alpha'
    const move = (name: string) => name.replace('.grpc.reflection.v1.', '.grpc.reflection.v1alpha.')
    for (const field of copy!.messageType.flatMap(message => message.field)) field.typeName = move(field.typeName)
    for (const method of copy!.service.flatMap(service => service.method)) {
        method.inputType = move(method.inputType)
        method.outputType = move(method.outputType)
    }
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...rest.reverse(), copy!] }))
    return registry.getService('grpc.reflection.v1alpha.ServerReflection')!
}
