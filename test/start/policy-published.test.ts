/** One word on Redis' channel, on real servers: every replica reads its policy again, and nothing that was said is believed. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { policyPublications } from '../../src/start/policy-published.ts';
import { startRedis } from '../support/redis-server.ts';

const channel = 'sw:policy:published';

/** How often it was said that there may be a new policy, to be awaited; and what was warned of. */
async function listening(redisUrl: string) {
  let heard = 0;
  const warnings: unknown[] = [];
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resume of waiting.splice(0)) resume();
  };
  const warn = (facts: unknown) => {
    warnings.push(facts);
    wake();
  };
  const publications = await policyPublications({ redisUrl }, { warn } as never);
  const dispose = publications?.(() => {
    heard += 1;
    wake();
  });
  onTestFinished(() => dispose?.());
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    heardAtLeast: (count: number) => until(() => heard >= count),
    warnings,
    warned: () => until(() => warnings.length > 0),
    dispose,
  };
}

async function say(port: number, ...commands: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  for (const command of commands) {
    socket.write(`${command}\r\n`);
    answer = String((await once(socket, 'data'))[0]);
  }
  socket.destroy();
  return answer;
}

test('every publication is heard, and so is each return of the server, for one may have been missed', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const { heardAtLeast } = await listening(redis.url);
  await heardAtLeast(1);
  expect(await say(redis.port, `PUBLISH ${channel} nothing-that-is-read`)).toBe(':1\r\n');
  await heardAtLeast(2);
  expect(await say(redis.port, `PUBLISH ${channel} ''`)).toBe(':1\r\n');
  await heardAtLeast(3);
  await redis.stop();
  const again = await startRedis({ port: redis.port });
  onTestFinished(() => again.stop());
  await heardAtLeast(4);
});

test('a user who may not listen is told why, once, and the connection is let be', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  expect(await say(redis.port, 'ACL SETUSER deaf on >hunter2 ~sw:* +@all resetchannels')).toBe('+OK\r\n');
  const { warned, warnings } = await listening(`redis://deaf:hunter2@127.0.0.1:${redis.port}`);
  await warned();
  expect(warnings).toEqual([{ why: 'NOPERM' }]);
  expect(JSON.stringify(warnings)).not.toContain('hunter2');
});

test('a server that is not there, and no server at all, are no reason for anything', async () => {
  expect(await policyPublications({ redisUrl: null }, { warn() {} } as never)).toBeNull();
  const { dispose, warnings } = await listening('redis://127.0.0.1:1');
  dispose?.();
  expect(warnings).toEqual([]);
});
