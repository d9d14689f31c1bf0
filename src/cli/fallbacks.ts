/** `stepwell fallbacks`: what it is called with. What it does is loaded when it is called, as with every verb. */
import { Command } from 'commander';

export interface FallbacksOptions {
  readonly page?: string;
}

export function fallbacksCommand(): Command {
  return new Command('fallbacks')
    .description(
      'Print what is approved for everybody, zone by zone, as JSON: what a page or an edge is built with for when nobody answers.',
    )
    .argument('<policy>', 'a .yaml, .yml or .json policy')
    .option('--page <page>', 'the zones of this page alone')
    .action(async (path: string, options: FallbacksOptions) => {
      const { printFallbacks } = await import('./print-fallbacks.ts');
      await printFallbacks(path, options);
    });
}
