import { expect, test } from 'bun:test'
import { connect, requestHead } from './http.ts'

const empty = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

function endpointOf(port: number) {
  return { host: '127.0.0.1', port, user: null, password: null }
}

test('a body of many megabytes is sent whole and its answer counted whole', async () => {
  const size = 20 * 1024 * 1024
  let received = 0
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      received = (await request.bytes()).length
      return new Response(new Uint8Array(size + 1))
    },
  })
  const endpoint = endpointOf(server.port ?? 0)
  const connection = await connect(endpoint)
  const head = requestHead(endpoint, 'PUT', '/', [`Content-Length: ${size}`])
  const pieces = [head, new Uint8Array(size - 1), new Uint8Array(1)]
  const reply = await connection.exchange({ pieces, status: 200 })
  connection.close()
  await server.stop(true)
  expect(received).toBe(size)
  expect(reply.length).toBe(size + 1)
})

test('a connection that was closed while nobody used it is opened again', async () => {
  let opened = 0
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open() {
        opened += 1
      },
      data(socket) {
        socket.write(empty)
        if (opened === 1) socket.end()
      },
    },
  })
  const endpoint = endpointOf(server.port)
  const connection = await connect(endpoint)
  const ask = { pieces: [requestHead(endpoint, 'GET', '/', [])], status: 200 }
  await connection.exchange(ask)
  // Longer than a connection has to be idle before it is looked at.
  await Bun.sleep(1100)
  await connection.exchange(ask)
  connection.close()
  server.stop(true)
  expect(opened).toBe(2)
})

test('a connection that ends in the middle of an answer is an error', async () => {
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
        socket.end()
      },
    },
  })
  const endpoint = endpointOf(server.port)
  const connection = await connect(endpoint)
  const ask = { pieces: [requestHead(endpoint, 'GET', '/', [])], status: 200 }
  await expect(connection.exchange(ask)).rejects.toThrow('the server closed the connection')
  await expect(connection.exchange(ask)).rejects.toThrow('the server closed the connection')
  connection.close()
  server.stop(true)
})

test('nobody listens there', async () => {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  await expect(connect(endpointOf(port))).rejects.toThrow(`connect to 127.0.0.1:${port}`)
})
