// How the daemon is told where etcd's certificates are: what is named has to be there.
import { expect, it } from 'vitest'
import { fakeSystem } from '../../ports/fake.ts'
import { etcdTls } from './wire.ts'

const endpoints = ['https://127.0.0.1:12379']
const system = fakeSystem({ files: { '/pki/ca.crt': 'CA', '/pki/me.crt': 'CERT', '/pki/me.key': 'KEY' } })

it('takes what is named', async () => {
    expect(await etcdTls({ etcd: { endpoints } }, system)).toBeUndefined()
    expect(await etcdTls({ etcd: { endpoints, ca: '/pki/ca.crt' } }, system)).toEqual({ ca: 'CA' })
    const all = { endpoints, ca: '/pki/ca.crt', cert: '/pki/me.crt', key: '/pki/me.key' }
    expect(await etcdTls({ etcd: all }, system)).toEqual({ ca: 'CA', cert: 'CERT', key: 'KEY' })
})

it.each([
    ['--etcd-ca', { ca: '/pki/none.crt' }],
    ['--etcd-cert', { ca: '/pki/ca.crt', cert: '/pki/none.crt', key: '/pki/me.key' }],
    ['--etcd-key', { ca: '/pki/ca.crt', cert: '/pki/me.crt', key: '/pki/none.key' }],
])('says which file is missing: %s', async (at, files) => {
    await expect(etcdTls({ etcd: { endpoints, ...files } }, system)).rejects.toMatchObject({ code: 'precondition', at })
})
