/** Where replicas share a Redis, one word on its channel tells them all of a new policy. What it says they read from their files. */
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { OnPolicyPublished } from './service-policy.ts';

/** Null where there is no Redis. */
export async function policyPublications(
  { redisUrl }: Pick<Config, 'redisUrl'>,
  logger: Pick<Logger, 'warn'>,
): Promise<OnPolicyPublished | null> {
  if (redisUrl === null) return null;
  const { listenToPolicyChannel } = await import('../redis/policy-channel.ts');
  return (callback) =>
    listenToPolicyChannel({
      url: redisUrl,
      onPublished: callback,
      onRefused: (why) => logger.warn({ why }, 'Redis lets nobody of this name listen for policies: changes of the file are still noticed'),
    });
}
