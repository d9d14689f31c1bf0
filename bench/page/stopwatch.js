/** Runs in a page before anything of it, and notes when each box last became something else. It measures no layout, which would cost what it times. */
(() => {
  const shown = new Map();
  const changedAtMs = new Map();
  const look = () => {
    const atMs = performance.now();
    for (const box of document.querySelectorAll('[data-zone]')) {
      if (shown.get(box) === box.innerHTML) continue;
      shown.set(box, box.innerHTML);
      changedAtMs.set(box, atMs);
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });

  const isInView = (box) => {
    const { top, bottom } = box.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  };
  const paint = () => performance.getEntriesByName('first-contentful-paint')[0];

  globalThis.stopwatch = {
    /** Two frames on, everything that was written has been drawn. */
    painted() {
      return new Promise((resolve) => {
        const wait = () => (paint() === undefined ? requestAnimationFrame(wait) : requestAnimationFrame(() => resolve(true)));
        requestAnimationFrame(wait);
      });
    },
    read() {
      const boxes = [...changedAtMs].filter(([box]) => box.isConnected && isInView(box));
      return {
        firstByteMs: performance.getEntriesByType('navigation')[0].responseStart,
        paintMs: paint().startTime,
        finalMs: Math.max(...boxes.map(([, atMs]) => atMs)),
        blank: boxes.filter(([box]) => box.textContent.trim() === '').length,
        hero: document.querySelector('[data-zone="hero"] [data-variant]')?.dataset.variant ?? null,
        durationsMs: performance.getEntriesByType('measure').map(({ name, duration }) => [name, duration]),
      };
    },
  };
})();
