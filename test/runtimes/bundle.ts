/** `core.ts` and all it imports as one script of plain JavaScript, with faults planted in it where somebody asks for them. */
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** Text of one source file, and what stands there instead. */
export interface Fault {
  readonly file: string;
  readonly instead: string;
  readonly of: string;
}

/** A script that leaves `stepwell.answer` behind. */
export async function bundleCore(faults: readonly Fault[] = []): Promise<string> {
  const planted = new Set<Fault>();
  const build = await rolldown({
    input: fileURLToPath(new URL('./core.ts', import.meta.url)),
    platform: 'neutral',
    onLog: (level, { message }) => {
      throw new Error(`the core does not bundle for every engine: ${level}: ${message}`);
    },
    plugins: [
      {
        name: 'faults',
        transform(code, id) {
          return faults.filter(({ file }) => id.endsWith(file)).reduce((text, fault) => plant(text, fault, planted), code);
        },
      },
    ],
  });
  try {
    const { output } = await build.generate({ format: 'iife', name: 'stepwell' });
    for (const fault of faults) if (!planted.has(fault)) throw new Error(`nowhere to plant a fault: ${fault.file}: ${fault.of}`);
    return output[0].code;
  } finally {
    await build.close();
  }
}

function plant(code: string, fault: Fault, planted: Set<Fault>): string {
  if (code.includes(fault.of)) planted.add(fault);
  return code.replaceAll(fault.of, fault.instead);
}
