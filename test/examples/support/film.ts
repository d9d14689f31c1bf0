/** Pictures of a page as it is drawn, frame by frame: a witness beside the record that a page keeps of itself, which reads no script of it. */
import type { Page } from 'playwright-core';

export interface Film {
  /** The different pictures of what stands at this place, in order. Where one colour is all there is, nothing was drawn there yet. */
  picturesOf(selector: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** The pictures begin with the next one that the browser draws. */
export async function film(page: Page): Promise<Film> {
  const frames: string[] = [];
  const session = await page.context().newCDPSession(page);
  session.on('Page.screencastFrame', ({ data, sessionId }) => {
    frames.push(data);
    // A page that is gone draws no other.
    session.send('Page.screencastFrameAck', { sessionId }).catch(() => {});
  });
  await session.send('Page.startScreencast', { format: 'png', everyNthFrame: 1 });
  return {
    async picturesOf(selector) {
      const place = await page.locator(selector).boundingBox();
      const reader = await page.context().newPage();
      const pictures = (await reader.evaluate(
        `(${pictureSums})(${JSON.stringify({ frames, place, width: page.viewportSize()?.width })})`,
      )) as string[];
      await reader.close();
      return pictures.filter((picture, at) => picture !== '' && picture !== pictures[at - 1]);
    },
    stop: () => session.detach(),
  };
}

/** In a browser, which can read its own pictures. */
const pictureSums = `async ({ frames, place, width }) => {
  const sums = [];
  for (const frame of frames) {
    const bytes = Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const scale = picture.width / width;
    const [x, y] = [place.x, place.y].map((edge) => Math.ceil(edge * scale));
    const wide = Math.floor(place.width * scale);
    const high = Math.min(Math.floor(place.height * scale), picture.height - y);
    const canvas = new OffscreenCanvas(wide, high).getContext('2d');
    canvas.drawImage(picture, x, y, wide, high, 0, 0, wide, high);
    const pixels = new Uint32Array(canvas.getImageData(0, 0, wide, high).data.buffer);
    let sum = 0;
    for (const pixel of pixels) sum = (Math.imul(sum, 31) + pixel) | 0;
    sums.push(pixels.every((pixel) => pixel === pixels[0]) ? '' : String(sum));
  }
  return sums;
}`;
