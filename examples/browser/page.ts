/**
 * What runs in the page. The boxes above the fold are filled before the first paint with what is here already, and stay as they are; the
 * service is asked meanwhile, and what it says goes into boxes that nobody has seen yet, and above the fold at the next view.
 */
import { createStepwell, type FallbackPack, type PageAnswer } from 'stepwell/client';
import { renderZone } from '../shop/render.ts';

/** Beyond it, the answer is for the next view. */
const budgetMs = 200;

const { serviceUrl, key, fallbacks, aboveFold } = JSON.parse(textOf('shop-settings')) as {
  readonly serviceUrl: string;
  readonly key?: string;
  readonly fallbacks: FallbackPack;
  readonly aboveFold: readonly string[];
};

/** Whoever hands out the page may know more, and say it in cookies: the page itself stays the same for everybody. */
const { shop_token: token, shop_visit: sessionId, shop_country: country } = cookies();
const context = country ? { country } : {};
const stepwell = createStepwell({
  url: serviceUrl,
  ...(key === undefined ? {} : { key }),
  fallbacks,
  context,
  // The one time that something seen changes: the visitor took back what it was shown on, here or in another tab.
  onWithdrawal: () => fill(stepwell.now('home'), () => true),
});
if (token || sessionId) stepwell.identify({ ...(token ? { token } : {}), ...(sessionId ? { sessionId } : {}) });

// A millisecond or so: what devices decide by was kept, and is verified before it is used. Nothing that was painted by then changes.
await stepwell.ready;
fill(stepwell.now('home', { zones: aboveFold }), isUnseen);
stepwell.decide('home', { budgetMs }).then((answer) => fill(answer, isUnseen));

for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-consent]')) {
  button.addEventListener('click', () => {
    const state = button.dataset.consent === 'granted' ? 'granted' : 'denied';
    stepwell.setConsent({
      content_personalization: state,
      offers: state,
      profile_activation_content: state,
      profile_activation_offer: state,
    });
  });
}

/** To try it from the console. */
Object.assign(globalThis, { stepwell });

function fill({ zones }: PageAnswer, mayFill: (box: Element) => boolean): void {
  for (const { zone, variant, content, tier } of zones) {
    const box = document.querySelector(`[data-zone="${CSS.escape(zone)}"]`);
    if (box !== null && mayFill(box)) box.innerHTML = renderZone(zone, { variant, content, tier });
  }
}

/** Above the fold nothing changes once it was painted. A browser that does not wait for this script keeps the approved words. */
function isUnseen(box: Element): boolean {
  if (performance.getEntriesByType('paint').length === 0) return true;
  const { top, bottom } = box.getBoundingClientRect();
  return top >= innerHeight || bottom <= 0;
}

function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? '{}';
}

function cookies(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(document.cookie.split('; ').map((pair) => pair.split('=', 2)));
}
