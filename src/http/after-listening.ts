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
const listOf = new WeakMap<object, Piece[]>();

export function afterListening(app: FastifyInstance, clock: Pick<Clock, 'after'>, pieces: Iterable<Piece>): void {
  const list = listOf.get(app.server);
  if (list !== undefined) list.push(...pieces);
  else workOff(app, clock, [...pieces]);
}

function workOff(app: FastifyInstance, clock: Pick<Clock, 'after'>, list: Piece[]): void {
  listOf.set(app.server, list);
  let stop = (): void => {};
  function workFrom(index: number): void {
    const piece = list[index];
    if (piece === undefined) return;
    stop = clock.after(pauseMs, async () => {
      await prepare(piece);
      workFrom(index + 1);
    });
  }
  app.addHook('onListen', (done) => {
    workFrom(0);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    list.length = 0;
    stop();
    done();
  });
}

async function prepare(piece: Piece): Promise<void> {
  try {
    await piece();
  } catch {
    // Whoever asks for it hears of it.
  }
}
