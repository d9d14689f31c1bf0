/**
 * Work that no first answer needs, begun once the server listens: piece by piece with pauses, so that requests are answered between.
 * What a piece prepares is prepared sooner where somebody asks for it, and who asks is told what went wrong with it.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../time/clock.ts';

/** At its longest a piece takes as long as this. */
const pauseMs = 20;

export function afterListening(app: FastifyInstance, clock: Pick<Clock, 'after'>, pieces: readonly (() => unknown)[]): void {
  let stop = (): void => {};
  function workFrom(index: number): void {
    const piece = pieces[index];
    if (piece === undefined) return;
    stop = clock.after(pauseMs, () => {
      void prepare(piece);
      workFrom(index + 1);
    });
  }
  app.addHook('onListen', (done) => {
    workFrom(0);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    stop();
    done();
  });
}

async function prepare(piece: () => unknown): Promise<void> {
  try {
    await piece();
  } catch {
    // Whoever asks for it hears of it.
  }
}
