import { fileURLToPath } from 'node:url';

/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  // The page is every visitor's own, and so is what the browser fetches to show it again.
  headers: async () => [{ source: '/', headers: [{ key: 'cache-control', value: 'private, no-store' }] }],
  // The parts that all examples share lie beside this folder.
  turbopack: { root: fileURLToPath(new URL('../..', import.meta.url)) },
};
