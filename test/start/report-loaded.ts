/** Preloaded into a service: says on its channel which modules are loaded at the moment when the port that it is told of is opened. */
import diagnostics from 'node:diagnostics_channel';
import { registerHooks } from 'node:module';
import type { Server } from 'node:net';

const loaded: string[] = [];
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url);
    return nextLoad(url, context);
  },
});

diagnostics.subscribe('tracing:net.server.listen:asyncEnd', (message) => {
  const address = (message as { readonly server: Server }).server.address();
  if (typeof address === 'object' && String(address?.port) === process.env.STEPWELL_PORT) process.send?.(loaded);
});
