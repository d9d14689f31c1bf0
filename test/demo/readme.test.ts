/** What the README shows for each tier is what the demo really answers. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const readme = readFileSync('README.md', 'utf8');
const dataDir = mkdtempSync(join(tmpdir(), 'stepwell-readme-'));
// Another data directory and any free port; nothing else that the reader's own shell may have set.
const env = { PATH: process.env.PATH, STEPWELL_DATA_DIR: dataDir, STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0' };
const hero = { page: 'home', zones: ['hero'] };

let service: ChildProcess;
let url: string;

beforeAll(async () => {
  service = spawn(process.execPath, ['src/cli/main.ts', 'serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  url = await new Promise((resolve, reject) => {
    service.once('exit', (code) => reject(new Error(`the service ended with status ${code} before it served`)));
    if (service.stderr === null) throw new Error('the service has nowhere to log');
    createInterface({ input: service.stderr }).on('line', (line) => {
      const found = /"serviceUrl":"([^"]+)"/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
});

afterAll(async () => {
  if (service.exitCode === null && service.kill('SIGTERM')) await once(service, 'exit');
  rmSync(dataDir, { recursive: true, force: true });
});

async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()) as Record<string, unknown>;
}

/** What the README shows below its marker, without what differs from call to call and from one wording of the policy to the next. */
function shown(tier: string): Record<string, unknown> {
  const json = new RegExp(`<!-- answer:${tier} -->\\n\\n\`\`\`json\\n([\\s\\S]+?)\`\`\``).exec(readme)?.[1];
  return lasting(JSON.parse(json ?? 'null'));
}

function lasting({
  decisionId: _decision,
  deadline: _deadline,
  policy: _policy,
  ...answer
}: Record<string, unknown>): Record<string, unknown> {
  return answer;
}

/** On a busy machine a store may be late, and the answer rightly says so; the README shows one for which nothing was. */
async function inTime(body: unknown, triesLeft = 100): Promise<Record<string, unknown>> {
  const answer = await post('/v1/decide', body);
  const wasLate = JSON.stringify(answer.zones).includes('"cause":"time"');
  return wasLate && triesLeft > 0 ? inTime(body, triesLeft - 1) : answer;
}

/** The README shows the first answer whole and leaves members out of the others. */
async function check(tier: string, body: unknown): Promise<void> {
  const expected = shown(tier);
  const answer = await inTime(body);
  expect(Object.fromEntries(Object.keys(expected).map((member) => [member, answer[member]]))).toEqual(expected);
  expect(answer.zones).toEqual([expect.objectContaining({ tier })]);
}

describe('the README', () => {
  it('shows the anonymous answer', async () => {
    await check('anonymous', hero);
  });

  it('shows the segment answer', async () => {
    await check('segment', { ...hero, context: { country: 'DE', device: 'mobile' } });
  });

  it('shows the session answer', async () => {
    const { sessionId } = await post('/v1/sessions', { attributes: { last_category: 'shoes' } });
    await check('session', { ...hero, identity: { sessionId }, consent: { useCases: { content_personalization: 'granted' } } });
  });

  it('shows the user answer, with a token from the command line', async () => {
    const token = execFileSync(process.execPath, ['src/cli/main.ts', 'token', '--sub', 'demo-ada'], { env, encoding: 'utf8' }).trim();
    await check('user', { ...hero, identity: { token } });
  });
});
