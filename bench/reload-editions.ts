/** Editions of one policy that tell themselves apart: everything that an answer may show of a policy says of which edition it is. */
import { parse, stringify } from 'yaml';
import { createPolicyHolder } from '../src/start/held-policy.ts';
import { systemClock } from '../src/time/clock.ts';

export interface Edition {
  readonly number: number;
  readonly bytes: Buffer;
  readonly revision: string;
}

/** Each with the revision that the service must give it. */
export async function editionsOf(policyText: string, count: number, file: string): Promise<readonly Edition[]> {
  const editions: Edition[] = [];
  for (let number = 0; number < count; number += 1) {
    const bytes = Buffer.from(stringify(marked(parse(policyText), number)));
    const holder = createPolicyHolder(systemClock);
    const { problems } = await holder.accept({ file, bytes });
    const held = holder.current();
    if (held === null) throw new Error(`an edition of the policy does not load: ${problems.map(({ message }) => message).join('; ')}`);
    editions.push({ number, bytes, revision: held.artefact.revision });
  }
  return editions;
}

function marked(value: unknown, edition: number): unknown {
  if (Array.isArray(value)) return value.map((item) => marked(item, edition));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, name === 'content' ? { ...member, edition } : marked(member, edition)]),
  );
}

export interface ReloadAnswer {
  readonly policy: { readonly revision: string; readonly stale: boolean };
  readonly zones: readonly { readonly zone: string; readonly content: { readonly edition?: number } | null }[];
}

/** What is wrong with an answer, or null. A zone that shows nothing says nothing. */
export function editionFault({ policy, zones }: ReloadAnswer, editionOf: Readonly<Record<string, number>>): string | null {
  const edition = editionOf[policy.revision];
  if (edition === undefined) return `revision ${policy.revision} was never published`;
  if (policy.stale) return `edition ${edition} is said to be stale`;
  const alien = zones.find(({ content }) => content !== null && content.edition !== edition);
  return alien === undefined ? null : `revision of edition ${edition}, and \`${alien.zone}\` of edition ${alien.content?.edition}`;
}
