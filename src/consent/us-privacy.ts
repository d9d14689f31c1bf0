/**
 * Reads US Privacy strings (`1YNN`): version, notice, opt-out of sale, limited service provider agreement. A string says only whether
 * sale was opted out of; a notice that was not given proves nothing, and `1---` says that the law does not apply, so nothing at all.
 */
import { type ConsentError, invalidReading, isConsentError, type Regime, type SignalReading } from './signal.ts';
import { usReading } from './us-statement.ts';

export type UsPrivacyMark = 'Y' | 'N' | '-';

export interface UsPrivacy {
  readonly notice: UsPrivacyMark;
  readonly optOutSale: UsPrivacyMark;
  readonly lspaCovered: UsPrivacyMark;
}

const notApplicable = '1---';
const shape = /^1[YN-][YN-][YN-]$/;

/** The opt-out cannot be unknown where the law applies, so a `-` there beside anything else is a contradiction. */
export function readUsPrivacy(text: string): UsPrivacy | ConsentError {
  if (text.length > notApplicable.length) return 'too_long';
  if (text.length < notApplicable.length) return 'truncated';
  if (text.charAt(0) !== '1') return 'version';
  // `$` would also hold before a last line break, but nothing is longer than four characters here.
  if (!shape.test(text)) return 'value';
  if (text.charAt(2) === '-' && text !== notApplicable) return 'value';
  return {
    notice: text.charAt(1) as UsPrivacyMark,
    optOutSale: text.charAt(2) as UsPrivacyMark,
    lspaCovered: text.charAt(3) as UsPrivacyMark,
  };
}

/** What a US Privacy string says under the rules of the visitor's place. */
export function usPrivacySignal(text: string, regime: Regime): SignalReading {
  const read = readUsPrivacy(text);
  return isConsentError(read) ? invalidReading('malformed') : usPrivacyReading(read, regime);
}

export function usPrivacyReading({ notice, optOutSale }: UsPrivacy, regime: Regime): SignalReading {
  if (optOutSale === '-') return { signal: null, outcome: 'valid' };
  return usReading(
    {
      optedOut: optOutSale === 'Y',
      provedNotOptedOut: optOutSale === 'N' && notice === 'Y',
      secondaryUseDenied: false,
      sensitiveRefused: false,
      child: false,
    },
    regime,
  );
}
