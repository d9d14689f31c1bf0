/** A throw-away certificate for 127.0.0.1 and localhost, signed by itself: whoever trusts it may take it for its own authority. */
import { generateKeyPairSync, sign } from 'node:crypto';

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export function throwAwayCertificate(nowMs = Date.now()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid(ecdsaWithSha256));
  const name = sequence(set(sequence(oid(commonName), text('stepwell test'))));
  const dayMs = 86_400_000;
  const body = sequence(
    explicit(0, integer(2)),
    integer(1),
    algorithm,
    name,
    sequence(instant(nowMs - dayMs), instant(nowMs + dayMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(
      3,
      sequence(
        sequence(oid(basicConstraints), octets(sequence(der(0x01, Buffer.from([0xff]))))),
        sequence(oid(subjectAltName), octets(sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1]))))),
      ),
    ),
  );
  const signature = sign('sha256', body, privateKey);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** The contents of object identifiers, as DER writes them. */
const ecdsaWithSha256 = '2a8648ce3d040302';
const commonName = '550403';
const basicConstraints = '551d13';
const subjectAltName = '551d11';

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, Buffer.concat(parts));
const set = (...parts: readonly Buffer[]): Buffer => der(0x31, Buffer.concat(parts));
const explicit = (index: number, content: Buffer): Buffer => der(0xa0 + index, content);
const integer = (value: number): Buffer => der(0x02, Buffer.from([value]));
const octets = (content: Buffer): Buffer => der(0x04, content);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const text = (value: string): Buffer => der(0x0c, Buffer.from(value));
const instant = (ms: number): Buffer => der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));
