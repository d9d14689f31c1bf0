/** What the README shows for each tier is what the demo answers. The clock stands still, so that nothing can be late on a busy machine. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { demoPolicyPath, loadDemoPeople } from '../../src/start/demo-mode.ts';
import { startService, type TestService } from '../http/service.ts';

const readme = readFileSync('README.md', 'utf8');
const hero = { page: 'home', zones: ['hero'] };

const demo = (): Promise<TestService> => startService({}, demoPolicyPath);

async function post({ app }: TestService, url: string, payload: object): Promise<Record<string, unknown>> {
  return (await app.inject({ method: 'POST', url, payload })).json();
}

/** What the README shows below its marker, without what differs from call to call and from one wording of the policy to the next. */
function shown(tier: string): Record<string, unknown> {
  const json = new RegExp(`<!-- answer:${tier} -->\\n\\n\`\`\`json\\n([\\s\\S]+?)\`\`\``).exec(readme)?.[1];
  const { decisionId: _decision, deadline: _deadline, policy: _policy, ...lasting } = JSON.parse(json ?? 'null');
  return lasting;
}

/** The README shows the first answer whole and leaves members out of the others. */
async function check(service: TestService, tier: string, body: object): Promise<void> {
  const expected = shown(tier);
  const answer = await post(service, '/v1/decide', body);
  expect(Object.fromEntries(Object.keys(expected).map((member) => [member, answer[member]]))).toEqual(expected);
  expect(answer.zones).toEqual([expect.objectContaining({ tier })]);
}

describe('the README', () => {
  it('shows the anonymous answer', async () => {
    await check(await demo(), 'anonymous', hero);
  });

  it('shows the segment answer', async () => {
    await check(await demo(), 'segment', { ...hero, context: { country: 'DE', device: 'mobile' } });
  });

  it('shows the session answer', async () => {
    const service = await demo();
    const { sessionId } = await post(service, '/v1/sessions', { attributes: { last_category: 'shoes' } });
    await check(service, 'session', { ...hero, identity: { sessionId }, consent: { useCases: { content_personalization: 'granted' } } });
  });

  it('shows the user answer', async () => {
    const service = await demo();
    const { store, artefact, clock } = service;
    await loadDemoPeople({ store, artefact, nowMs: clock.nowMs(), onProgress() {} });
    await check(service, 'user', { ...hero, identity: { token: await service.tokenOf('demo-ada') } });
  });
});
