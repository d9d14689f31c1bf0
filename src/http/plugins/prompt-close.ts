/**
 * While the server closes, lets go of connections as soon as they fall idle. Without it a caller that keeps its connection holds
 * up the end of the process for as long as an idle connection may live. No request is cut short.
 */
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { Clock } from '../../time/clock.ts';

const lookAgainMs = 50;

export const promptClose = fastifyPlugin(async (app: FastifyInstance, { clock }: { clock: Clock }) => {
  /** From the first caller that can come to the last that has gone. The port may be closed before. */
  let isOpen = false;
  app.server.once('listening', () => {
    isOpen = true;
    app.server.once('close', () => {
      isOpen = false;
    });
  });
  app.addHook('preClose', (done) => {
    // Once, at the beginning, the framework does it by itself.
    if (isOpen) sweepUntilClosed(app, clock);
    done();
  });
});

function sweepUntilClosed({ server }: FastifyInstance, clock: Clock): void {
  let stop = clock.after(lookAgainMs, sweep);
  function sweep(): void {
    server.closeIdleConnections();
    stop = clock.after(lookAgainMs, sweep);
  }
  server.once('close', () => stop());
}
