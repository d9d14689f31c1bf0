/** Tokens that nobody signed for what they say. Each is a decision without that person, never an error and never that person. */
import { createHmac } from 'node:crypto';
import { expect } from 'vitest';
import { newKey } from '../identity/issuer.ts';
import { type Area, headerOf, type Scene, scene, signed, subject } from './attack.ts';

const encode = (part: unknown): string => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** As nobody, and with no word of the token. */
async function expectNobody(at: Scene, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) {
    const { status, state, text, zones } = await at.decide({ identity: { token } });
    // What is too long for a token at all may be refused as a request.
    if (status === 400 || status === 413) continue;
    expect([status, state, zones[0]?.variant], token.slice(0, 80)).toEqual([200, 'anonymous', 'hero-standard']);
    expect(text).not.toContain(token);
    expect(text).not.toContain(subject);
  }
  // The scene is not blind: a sound token is that person.
  const { state, zones } = await at.decide({ identity: { token: signed(at.key, headerOf(at.key), at.claims()) } });
  expect([state, zones[0]?.variant]).toEqual(['high_confidence', 'hero-gold']);
}

export const tokens: Area = {
  area: 'tokens',
  attacks: [
    {
      name: '`alg: none` in every spelling, with and without a signature',
      holds: 'they prove nobody',
      async try() {
        const at = await scene();
        const parts = ['none', 'None', 'NONE', 'nOnE', '', null].map(
          (alg) => `${encode({ ...headerOf(at.key), alg })}.${encode(at.claims())}`,
        );
        await expectNobody(
          at,
          parts.flatMap((unsigned) => [`${unsigned}.`, unsigned, `${unsigned}.e30`]),
        );
      },
    },
    {
      name: 'HS256 under the public key in any form, white space around it too',
      holds: 'a public key is no secret to sign with',
      async try() {
        const at = await scene();
        const { publicJwk } = at.key;
        const secrets = [
          JSON.stringify(publicJwk),
          String(publicJwk.x),
          ` ${publicJwk.x}`,
          `\n${publicJwk.x}\n`,
          Buffer.from(String(publicJwk.x), 'base64url'),
          '',
        ];
        const made = secrets.flatMap((secret) =>
          ['HS256', 'hs256', 'Ed25519'].map((alg) => {
            const input = `${encode({ ...headerOf(at.key), alg })}.${encode(at.claims())}`;
            return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
          }),
        );
        await expectNobody(at, made);
      },
    },
    {
      name: 'an algorithm in another spelling, of another family, or none that a key of the set is for',
      holds: 'only the names we accept are accepted',
      async try() {
        const at = await scene();
        const algs = [
          'ed25519',
          'eddsa',
          'EDDSA',
          'Ed448',
          'ES256',
          'RS256',
          ' Ed25519',
          'Ed25519\u0000',
          ['Ed25519'],
          { alg: 'Ed25519' },
          true,
        ];
        await expectNobody(
          at,
          algs.map((alg) => signed(at.key, { ...headerOf(at.key), alg }, at.claims())),
        );
      },
    },
    {
      name: '`crit` with extensions that nobody here knows',
      holds: 'what must be understood and is not fails',
      async try() {
        const at = await scene();
        const crits = [['exp'], ['b64'], ['x-admin'], [], 'exp'].map((crit) => ({ ...headerOf(at.key), crit, b64: false, 'x-admin': 1 }));
        await expectNobody(
          at,
          crits.map((header) => signed(at.key, header, at.claims())),
        );
      },
    },
    {
      name: 'a key of the attacker’s own in `jwk`, or named by `jku`, `x5u`, `x5c`',
      holds: 'a token brings no key along',
      async try() {
        const at = await scene();
        const theirs = newKey('k1');
        const places = [
          { jwk: theirs.publicJwk },
          { jku: 'http://127.0.0.1:9/jwks' },
          { x5u: 'http://169.254.169.254/' },
          { x5c: ['MIIB'] },
          {},
        ];
        await expectNobody(
          at,
          places.map((place) => signed(theirs, { ...headerOf(theirs), ...place }, at.claims())),
        );
      },
    },
    {
      name: 'a `kid` that is a path, a command, a prototype or no text',
      holds: 'a key id is looked up and nothing else',
      async try() {
        const at = await scene();
        const kids = [
          '../../../../dev/null',
          '/proc/self/environ',
          "k1' OR '1'='1",
          'k1\r\nFLUSHALL',
          'sw:names',
          '__proto__',
          'constructor',
          'toString',
          '',
          null,
          1,
          ['k1'],
          { k: 1 },
          undefined,
        ];
        await expectNobody(
          at,
          kids.map((kid) => signed(at.key, { ...headerOf(at.key), kid }, at.claims())),
        );
      },
    },
    {
      name: 'no signature, half a signature, another token’s, or bytes after it',
      holds: 'the bytes of the signature are the signature',
      async try() {
        const at = await scene();
        const sound = signed(at.key, headerOf(at.key), at.claims());
        const [header = '', payload = '', signature = ''] = sound.split('.');
        const others = signed(at.key, headerOf(at.key), { ...at.claims(), sub: 'somebody-else' }).split('.')[2] ?? '';
        const signatures = [
          '',
          signature.slice(0, -8),
          `${signature}AA`,
          `${signature}=`,
          `${signature}.`,
          'A'.repeat(86),
          others,
          `${signature}\n`,
        ];
        await expectNobody(
          at,
          signatures.map((one) => `${header}.${payload}.${one}`),
        );
      },
    },
    {
      name: 'times that lie: long expired, from the future (a clock set back), or valid for too long',
      holds: 'at most it is remembered who it was',
      async try() {
        const at = await scene();
        const nowSeconds = Math.floor(at.clock.nowMs() / 1000);
        const times = [
          { iat: nowSeconds + 3600, exp: nowSeconds + 3900 },
          { nbf: nowSeconds + 3600 },
          { iat: nowSeconds - 10, exp: nowSeconds + 3601 },
          { iat: nowSeconds - 40 * 86_400, exp: nowSeconds - 39 * 86_400 },
          { iat: 'now', exp: 'tomorrow' },
          { exp: Number.MAX_SAFE_INTEGER },
          { exp: null },
        ];
        await expectNobody(
          at,
          times.map((claims) => signed(at.key, headerOf(at.key), { ...at.claims(), ...claims })),
        );
        for (const iat of [nowSeconds - 900, nowSeconds]) {
          const expired = signed(at.key, headerOf(at.key), { ...at.claims(), iat, exp: nowSeconds - 600 });
          const { state, zones } = await at.decide({ identity: { token: expired } });
          expect([state, zones[0]?.tier]).toEqual(['partial', 'anonymous']);
        }
      },
    },
    {
      name: 'a token for somebody else, from somebody else, or of another kind',
      holds: '`aud`, `iss` and `typ` are ours or it says nothing',
      async try() {
        const at = await scene();
        const claims = [
          { aud: 'other' },
          { aud: [] },
          { aud: ['other'] },
          { aud: undefined },
          { iss: 'https://issuer.example.evil' },
          { iss: 'https://issuer.example/' },
          { iss: undefined },
          { sub: undefined },
          { sub: '' },
          { jti: undefined },
        ];
        const typs = ['JWT', 'jwt', 'dpop+jwt', 'logout+jwt', '', undefined, 'application/x'];
        await expectNobody(at, [
          ...claims.map((other) => signed(at.key, headerOf(at.key), { ...at.claims(), ...other })),
          ...typs.map((typ) => signed(at.key, { ...headerOf(at.key), typ }, at.claims())),
        ]);
      },
    },
    {
      name: 'a megabyte of token, ten thousand claims, claims said twice',
      holds: 'too much, or two meanings, is nothing',
      async try() {
        const at = await scene();
        const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`c${index}`, index]));
        const claims = JSON.stringify(at.claims());
        const twice = claims.replace('"sub":', '"sub":"somebody-else","sub":');
        const escaped = claims.replace('"sub":', '"sub":"somebody-else","\\u0073ub":');
        await expectNobody(at, [
          signed(at.key, headerOf(at.key), { ...at.claims(), more: 'x'.repeat(1_000_000) }),
          signed(at.key, headerOf(at.key), { ...at.claims(), more: 'x'.repeat(5_000) }),
          signed(at.key, headerOf(at.key), { ...many, ...at.claims() }),
          signed(at.key, headerOf(at.key), twice),
          signed(at.key, headerOf(at.key), escaped),
          signed(at.key, JSON.stringify(headerOf(at.key)).replace('"alg":', '"alg":"none","alg":'), at.claims()),
        ]);
      },
    },
  ],
};
