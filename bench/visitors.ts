/**
 * The visitors who ask: people of the demo who granted everything, each with a token, asking for the page `home`. Only those count
 * whom the service answers on the user tier wherever the page has one; their answers say how many bytes the bare route must send.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoWrites } from '../src/demo/demo-writes.ts';
import { generateIssuerKeys, mintToken } from '../src/identity/mint.ts';
import type { StoreWrite } from '../src/records/store.ts';
import { commandLine, type Server } from './server.ts';

export const peopleStored = 10_000;
const visitorsWanted = 300;
/** An hour is the longest a token may live. */
const tokenLifetimeSeconds = 3_600;

const issuer = 'https://issuer.bench.example';
const audience = 'stepwell';

/** Asks for a decision like an edge renderer that knows who is there. */
export interface Visitors {
  readonly bodies: readonly string[];
  /** Mean length of the answers' bodies. */
  readonly answerBytes: number;
  readonly requestBytes: number;
  /** Zones by `tier` of the answers to all bodies, as `zone: tier`. */
  readonly tierMix: Readonly<Record<string, number>>;
}

/** A directory with the records, the key set and the environment that point a service at them. */
export interface Prepared {
  readonly env: Readonly<Record<string, string>>;
  readonly recordsPath: string;
  mint(subject: string): Promise<string>;
}

export async function prepare(directory: string): Promise<Prepared> {
  const keys = await generateIssuerKeys();
  const jwksPath = join(directory, 'jwks.json');
  const recordsPath = join(directory, 'people.ndjson');
  writeFileSync(jwksPath, JSON.stringify(keys.jwks));
  const writes = [...demoWrites({ seed: 1, count: peopleStored, nowMs: Date.now() })];
  writeFileSync(recordsPath, writes.map((write) => `${JSON.stringify(lineOf(write))}\n`).join(''));
  return {
    env: {
      STEPWELL_POLICY: fileURLToPath(new URL('../examples/retail.yaml', import.meta.url)),
      STEPWELL_JWKS: jwksPath,
      STEPWELL_TOKEN_ISSUER: issuer,
      STEPWELL_TOKEN_AUDIENCE: audience,
    },
    recordsPath,
    mint: (subject) => mintToken({ ...keys, issuer, audience, subject, nowMs: Date.now(), lifetimeSeconds: tokenLifetimeSeconds }),
  };
}

/** As `stepwell load` reads it. */
function lineOf(write: StoreWrite): object {
  switch (write.kind) {
    case 'profile':
      return { kind: 'profile', subject: write.subject, ...write.profile, ttlSeconds: write.ttlSeconds };
    case 'consent':
      return {
        kind: 'consent',
        subject: write.subject,
        useCases: write.consent.useCases,
        recordedAt: new Date(write.consent.recordedAtMs).toISOString(),
      };
    case 'identity':
      return { kind: 'identity', namespace: write.namespace, value: write.value, ...write.link };
    case 'session':
      throw new Error('the demo has no sessions');
  }
}

export function load(recordsPath: string, env: Readonly<Record<string, string>>): void {
  const { status, stderr, stdout } = spawnSync(process.execPath, [commandLine, 'load', recordsPath], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the people could not be loaded:\n${stdout}${stderr}`);
}

export async function findVisitors({ url }: Server, prepared: Prepared): Promise<Visitors> {
  const bodies: string[] = [];
  const tierMix: Record<string, number> = {};
  let answerBytes = 0;
  for (const subject of peopleWhoGranted()) {
    const body = JSON.stringify({ page: 'home', identity: { token: await prepared.mint(subject) }, context: contextOf(bodies.length) });
    const answer = await ask(url, body);
    if (!isPersonal(answer.zones)) continue;
    for (const { zone, tier } of answer.zones) tierMix[`${zone}: ${tier}`] = (tierMix[`${zone}: ${tier}`] ?? 0) + 1;
    answerBytes += answer.bytes;
    bodies.push(body);
    if (bodies.length === visitorsWanted) break;
  }
  if (bodies.length < visitorsWanted / 2) throw new Error(`only ${bodies.length} visitors reach the user tier`);
  const requestBytes = bodies.reduce((sum, body) => sum + body.length, 0) / bodies.length;
  return { bodies, answerBytes: Math.round(answerBytes / bodies.length), requestBytes: Math.round(requestBytes), tierMix };
}

function* peopleWhoGranted(): Iterable<string> {
  for (const write of demoWrites({ seed: 1, count: peopleStored, nowMs: Date.now() })) {
    if (write.kind === 'consent' && write.subject.startsWith('shopper-') && write.consent.useCases.offers === 'granted')
      yield write.subject;
  }
}

const countries = ['DE', 'FR', 'NL', 'AT'];
const devices = ['mobile', 'desktop'];

function contextOf(index: number): object {
  return { country: countries[index % countries.length], device: devices[index % devices.length], referrer: 'search', locale: 'de-DE' };
}

interface Answer {
  readonly zones: readonly AnsweredZone[];
  readonly bytes: number;
}

interface AnsweredZone {
  readonly zone: string;
  readonly tier: string;
  readonly intendedTier: string;
}

async function ask(url: string, body: string): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`the service answered ${response.status}: ${text}`);
  return { zones: JSON.parse(text).zones, bytes: Buffer.byteLength(text) };
}

function isPersonal(zones: readonly AnsweredZone[]): boolean {
  const personal = zones.filter(({ intendedTier }) => intendedTier === 'user');
  return personal.length > 0 && personal.every(({ tier }) => tier === 'user');
}
