/**
 * Work that no first answer needs, begun once the server listens: piece by piece with pauses, so that requests are answered between.
 * What a piece prepares is prepared sooner where somebody asks for it, and who asks is told what went wrong with it.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../time/clock.ts';

export type Piece = () => unknown;

/** About as long as a piece takes at most. */
const pauseMs = 20;

/** One list for each server, so that no two pieces follow each other without a pause. */
const adding = new WeakMap<object, (pieces: Iterable<Piece>) => void>();

/** May be said again at any time, also when all that was given before is done. */
export function afterListening(app: FastifyInstance, clock: Pick<Clock, 'after'>, pieces: Iterable<Piece>): void {
  const add = adding.get(app.server) ?? openList(app, clock);
  adding.set(app.server, add);
  add(pieces);
}

function openList(app: FastifyInstance, clock: Pick<Clock, 'after'>): (pieces: Iterable<Piece>) => void {
  const waiting: Piece[] = [];
  let isListening = false;
  let isBusy = false;
  let stop = (): void => {};
  function workOn(): void {
    const piece = isListening && !isBusy ? waiting.shift() : undefined;
    if (piece === undefined) return;
    isBusy = true;
    stop = clock.after(pauseMs, async () => {
      await prepare(piece);
      isBusy = false;
      workOn();
    });
  }
  app.addHook('onListen', (done) => {
    isListening = true;
    workOn();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    isListening = false;
    stop();
    done();
  });
  return (pieces) => {
    waiting.push(...pieces);
    workOn();
  };
}

async function prepare(piece: Piece): Promise<void> {
  try {
    await piece();
  } catch {
    // Whoever asks for it hears of it.
  }
}
