import type { HostileWorld } from './hostile-world.js';

/** Bytes for a connection of their own. */
export interface RawRequest {
  readonly what: string;
  readonly bytes: string | Buffer;
  /** Whether the client closes its side at once, because more than it sends is waited for. */
  readonly endsEarly: boolean;
  /** How many answers must come at least; none where a closed connection will do. */
  readonly answers: number;
}

const PIPELINED = 20;

/** What no client library would send: for HTTP's parser, and for what stands behind it. */
export function rawRequests({ own }: HostileWorld): RawRequest[] {
  const auth = `Authorization: Bearer ${own.key}\r\n`;
  const host = 'Host: 127.0.0.1\r\n';
  const last = 'Connection: close\r\n';
  const json = 'Content-Type: application/json\r\n';
  const list = '/v1/accounts?limit=1';
  const post = `POST /v1/accounts/${own.accountId}/deposits HTTP/1.1\r\n${host}${auth}${json}`;
  const bad = '{"amount":"-1"}';
  const chunk = `${bad.length.toString(16)}\r\n${bad}\r\n`;
  const complete = (what: string, bytes: string | Buffer, answers = 1): RawRequest => ({
    ...{ what, bytes, answers },
    endsEarly: false,
  });
  const cut = (what: string, bytes: string | Buffer): RawRequest => ({
    what,
    bytes,
    endsEarly: true,
    answers: 0,
  });
  return [
    complete('HTTP/1.0', `GET ${list} HTTP/1.0\r\n${auth}\r\n`),
    complete(
      'HTTP/1.0 to keep',
      `GET ${list} HTTP/1.0\r\n${auth}Connection: keep-alive\r\n\r\nGET ${list} HTTP/1.0\r\n\r\n`,
    ),
    complete('no host', `GET ${list} HTTP/1.1\r\n${auth}${last}\r\n`),
    complete('two hosts', `GET ${list} HTTP/1.1\r\n${host}Host: evil\r\n${auth}${last}\r\n`),
    complete('an absolute address', `GET http://evil.example${list} HTTP/1.1\r\n${host}${auth}${last}\r\n`),
    complete(
      'an address of two slashes',
      `GET //evil.example/v1/accounts HTTP/1.1\r\n${host}${auth}${last}\r\n`,
    ),
    complete('an asterisk', `OPTIONS * HTTP/1.1\r\n${host}${last}\r\n`),
    complete(
      'an address that is not in ASCII',
      Buffer.from(`GET /v1/acc\u00f6unts HTTP/1.1\r\n${host}${last}\r\n`),
    ),
    complete('a NUL in the address', `GET /v1/accounts\u0000 HTTP/1.1\r\n${host}${last}\r\n`),
    complete('a blank in the address', `GET /v1/acc ounts HTTP/1.1\r\n${host}${last}\r\n`),
    complete('an address of 100 kB', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n${host}${last}\r\n`),
    complete('a header of 100 kB', `GET ${list} HTTP/1.1\r\n${host}X: ${'x'.repeat(100_000)}\r\n${last}\r\n`),
    complete('3,000 headers', `GET ${list} HTTP/1.1\r\n${host}${last}${'X: 1\r\n'.repeat(3_000)}\r\n`),
    complete('a NUL in a header', `GET ${list} HTTP/1.1\r\n${host}X-User-Id: a\u0000b\r\n${auth}${last}\r\n`),
    complete(
      'a line feed in a header',
      `GET ${list} HTTP/1.1\r\n${host}X-Actor: a\nX-User-Id: b\r\n${auth}${last}\r\n`,
    ),
    complete('a folded header', `GET ${list} HTTP/1.1\r\n${host}X-Actor: a\r\n b\r\n${auth}${last}\r\n`),
    complete('a header without a name', `GET ${list} HTTP/1.1\r\n${host}: x\r\n${last}\r\n`),
    complete('a blank before the colon', `GET ${list} HTTP/1.1\r\n${host}X-Actor : x\r\n${last}\r\n`),
    complete(
      'a header in Latin-1',
      Buffer.from(`GET ${list} HTTP/1.1\r\n${host}X-User-Id: \u00e9\r\n${auth}${last}\r\n`, 'latin1'),
    ),
    complete('HTTP/9.9', `GET ${list} HTTP/9.9\r\n${host}\r\n`),
    complete('HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`),
    complete('no version', `GET ${list}\r\n\r\n`),
    complete('an unknown method', `STEAL ${list} HTTP/1.1\r\n${host}${auth}${last}\r\n`),
    complete('a method in lower case', `get ${list} HTTP/1.1\r\n${host}${auth}${last}\r\n`),
    complete('CONNECT', `CONNECT 127.0.0.1:5432 HTTP/1.1\r\n${host}${auth}\r\n`, 0),
    complete(
      'an upgrade',
      `GET ${list} HTTP/1.1\r\n${host}${auth}Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n`,
    ),
    complete('text', 'this is not HTTP\r\n\r\n'),
    complete('line feeds only', `GET ${list} HTTP/1.1\n${host.trim()}\n${auth.trim()}\n${last.trim()}\n\n`),
    complete('TLS', Buffer.from('16030100a5010000a10303', 'hex')),
    complete('bytes', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))),
    complete('a negative length', `${post}Content-Length: -1\r\n\r\n`),
    complete('a length that is no number', `${post}Content-Length: x\r\n\r\n`),
    complete('a length of 40 digits', `${post}Content-Length: ${'9'.repeat(40)}\r\n\r\n`),
    complete('two lengths', `${post}Content-Length: 5\r\nContent-Length: 15\r\n\r\n${bad}`),
    complete('a length of a terabyte', `${post}${last}Content-Length: 1099511627776\r\n\r\n${bad}`),
    complete('length and chunks', `${post}Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    complete('a foreign transfer encoding', `${post}Transfer-Encoding: gzip\r\n\r\n${bad}`),
    complete('chunked twice', `${post}Transfer-Encoding: chunked, chunked\r\n\r\n${chunk}0\r\n\r\n`, 0),
    complete('an obfuscated encoding', `${post}${last}Transfer-Encoding : chunked\r\n\r\n${chunk}0\r\n\r\n`),
    complete('chunks', `${post}${last}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`),
    complete('a chunk of no hex', `${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n${bad}\r\n0\r\n\r\n`, 0),
    complete(
      'a chunk of a huge size',
      `${post}Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n${bad}`,
      0,
    ),
    complete(
      'a chunk that is longer than it says',
      `${post}Transfer-Encoding: chunked\r\n\r\n2\r\n${bad}\r\n0\r\n\r\n`,
      0,
    ),
    complete(
      'a chunk extension',
      `${post}${last}Transfer-Encoding: chunked\r\n\r\nf;x="${'y'.repeat(1_000)}"\r\n${bad}\r\n0\r\n\r\n`,
    ),
    complete(
      'endless chunk extensions',
      `${post}Transfer-Encoding: chunked\r\n\r\nf;${'y'.repeat(30_000)}\r\n${bad}\r\n0\r\n\r\n`,
      0,
    ),
    complete(
      'a trailer',
      `${post}${last}Transfer-Encoding: chunked\r\nTrailer: X-Actor\r\n\r\n${chunk}0\r\nX-Actor: x\r\n\r\n`,
    ),
    complete(
      'expecting to be told to continue',
      `${post}${last}Expect: 100-continue\r\nContent-Length: 15\r\n\r\n${bad}`,
    ),
    complete(
      'expecting something else',
      `${post}${last}Expect: the-unexpected\r\nContent-Length: 15\r\n\r\n${bad}`,
    ),
    complete('more than its length', `${post}Content-Length: 5\r\n\r\n${bad}GET / HTTP/1.1\r\n\r\n`),
    complete(
      'pipelined requests',
      `${`GET ${list} HTTP/1.1\r\n${host}${auth}\r\n`.repeat(PIPELINED)}GET ${list} HTTP/1.1\r\n${host}${last}\r\n`,
      PIPELINED + 1,
    ),
    complete(
      'pipelined refusals',
      `${`${post}Content-Length: 15\r\n\r\n${bad}`.repeat(PIPELINED)}${post}${last}Content-Length: 15\r\n\r\n${bad}`,
      PIPELINED + 1,
    ),
    complete('a request behind garbage', `garbage\r\n\r\n${post}Content-Length: 15\r\n\r\n${bad}`),
    cut('nothing', ''),
    cut('an empty line', '\r\n'),
    cut('half a request line', 'GET /v1/acc'),
    cut('half a header', `GET ${list} HTTP/1.1\r\n${host}Authoriz`),
    cut('headers without an end', `GET ${list} HTTP/1.1\r\n${host}${auth}`),
    cut('less than its length', `${post}Content-Length: 1000\r\n\r\n${bad}`),
    cut('a length without a body', `${post}Content-Length: 15\r\n\r\n`),
    cut('chunks without an end', `${post}Transfer-Encoding: chunked\r\n\r\n${chunk}`),
    cut('half a chunk', `${post}Transfer-Encoding: chunked\r\n\r\nff\r\n{"am`),
    cut('waiting to be told to continue', `${post}Expect: 100-continue\r\nContent-Length: 15\r\n\r\n`),
    cut('a good deposit that is cut', `${post}Content-Length: 17\r\n\r\n{"amount":"1.00"`),
  ];
}
