/** Who races: people known by a token, whose consent is stored, and visitors known by a session alone, who consent with each request. */
import { readFileSync } from 'node:fs';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import type { Answer, Ask, Contender } from './race.ts';

const policyPath = new URL('policy.yaml', import.meta.url);

/** 0: every decision proves everything, which is what a policy that says nothing of freshness gets. */
export function policyText(freshnessMaxMs: number): string {
  const text = readFileSync(policyPath, 'utf8');
  return freshnessMaxMs === 0 ? text : `${text}freshness: { maxMs: ${freshnessMaxMs} }\n`;
}

const everything = Object.fromEntries(personalUseCases.map((useCase) => [useCase, 'granted']));

/** `token` says who it is. */
export function subjectContender(subject: string, token: string): Contender {
  let hasProfile = false;
  return {
    what: 'subject',
    tier: 'user',
    async grant(ask) {
      if (!hasProfile) await succeeded(() => ask('PUT', `/v1/profiles/${subject}`, { attributes: { loyalty: 'gold' } }));
      hasProfile = true;
      const recordedAt = new Date(Date.now() - 1000).toISOString();
      await succeeded(() => ask('PUT', `/v1/consents/${subject}`, { useCases: everything, recordedAt }));
    },
    async withdraw(ask) {
      await succeeded(() => ask('POST', `/v1/consents/${subject}/withdrawals`));
    },
    question: () => ({ zones: ['hero'], deadlineMs: 500, identity: { token } }),
  };
}

/** What is withdrawn in a session stays so: each time it is another session. */
export function sessionContender(): Contender {
  let sessionId = '';
  return {
    what: 'session',
    tier: 'session',
    async grant(ask: Ask) {
      const { text } = await succeeded(() => ask('POST', '/v1/sessions', { attributes: { last_category: 'shoes' } }));
      sessionId = (JSON.parse(text) as { sessionId: string }).sessionId;
    },
    async withdraw(ask) {
      await succeeded(() => ask('POST', `/v1/sessions/${sessionId}/withdrawals`));
    },
    question: () => ({ zones: ['hero'], deadlineMs: 500, identity: { sessionId }, consent: { useCases: everything } }),
  };
}

/** A store that is slow for a moment is asked again: what was not acknowledged is not judged either. */
const attemptsMax = 50;
const pauseMs = 50;

async function succeeded(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask();
    if (answer.status >= 200 && answer.status <= 299) return answer;
    const isPassing = answer.status === 0 || answer.status === 503 || answer.status === 409;
    if (!isPassing || attempt === attemptsMax) throw new Error(`a service answered ${answer.status}: ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
