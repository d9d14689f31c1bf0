/** The other end of `worst.ts`, in a thread of its own: sends one request at a time and says how it was answered. */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

parentPort?.on('message', (bytes: Uint8Array) => {
  let head = '';
  const socket = connect(workerData.port, '127.0.0.1', () => socket.write(bytes));
  socket.on('data', (chunk) => {
    if (head === '') head = chunk.toString('latin1', 0, 32);
  });
  socket.on('error', () => {});
  socket.on('close', () => parentPort?.postMessage(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 'closed'));
});
