/**
 * Hears that a new policy was published. It passes on that something was said and never what: a policy comes from where the operator put
 * it, not from whoever may write to a channel.
 */
import { subscribe } from './subscriber.ts';

/** `PUBLISH sw:policy:published ''` says to every replica: read the policy again. */
const policyChannel = 'sw:policy:published';

export interface PolicyChannelOptions {
  readonly url: string;
  /** Something was published, or may have been while nobody listened. */
  onPublished(): void;
  /** Why nothing will be heard though the server answers: a short code of its own, such as `NOPERM`. */
  onRefused(code: string): void;
}

/** The file is looked at anyway. Returns its `dispose`. */
export function listenToPolicyChannel({ url, onPublished, onRefused }: PolicyChannelOptions): () => void {
  return subscribe({
    url,
    channel: policyChannel,
    name: 'stepwell-policy',
    onMessage: () => onPublished(),
    onSubscribed: onPublished,
    onRefused,
  });
}
