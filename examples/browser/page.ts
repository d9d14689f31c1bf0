/**
 * What runs in the page. It is held back from sight for a moment (see serve.ts), in which the boxes in view are filled with what is here
 * already; from then on they stay as they are. The service is asked meanwhile, and what it says goes into boxes that are out of view, and
 * into the others at the next view.
 */
import { createStepwell, type FallbackPack, type PageAnswer } from 'stepwell/client';
import { renderZone } from '../shop/render.ts';

/** Beyond it, the answer is for the next view. */
const budgetMs = 200;

const { serviceUrl, key, fallbacks } = JSON.parse(textOf('shop-settings')) as {
  readonly serviceUrl: string;
  readonly key?: string;
  readonly fallbacks: FallbackPack;
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

// A millisecond or so: what devices decide by was kept, and is verified before it is used.
await stepwell.ready;
const { classList } = document.documentElement;
const zonesInView = boxes()
  .filter(isInView)
  .map(({ dataset: { zone = '' } }) => zone);
// Asked for in any case: what `now` has rendered the client leaves alone for the view, and keeps the service's word for the next.
const first = stepwell.now('home', { zones: zonesInView });
// Whoever has waited long enough sees the approved words, and goes on seeing them.
if (classList.contains('held')) fill(first, () => true);
classList.remove('held');
stepwell.decide('home', { budgetMs }).then((answer) => fill(answer, (box) => !isInView(box)));

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
    const box = boxes().find(({ dataset }) => dataset.zone === zone);
    if (box !== undefined && mayFill(box)) box.innerHTML = renderZone(zone, { variant, content, tier });
  }
}

function boxes(): readonly HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-zone]')];
}

/** Whether some of it is where it can be seen. Not asked of `getEntriesByType('paint')`: browsers tell of a paint frames after it. */
function isInView(box: Element): boolean {
  const { top, bottom } = box.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? '{}';
}

function cookies(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(document.cookie.split('; ').map((pair) => pair.split('=', 2)));
}
