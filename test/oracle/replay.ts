/** Repeats one document of one claim, as a broken claim's report says: `node test/oracle/replay.ts <seed> <document> <claim>`. */
import { claims } from './claims.ts';
import { longCasesPerDocument, tryOn } from './runs.ts';

const [seed, index, says] = process.argv.slice(2);
const claim = claims.find((known) => known.says === says);
if (claim === undefined || !(Number(index) >= 0) || !Number.isSafeInteger(Number(seed))) {
  console.error(
    `write: node test/oracle/replay.ts <seed> <document> <claim>, where the claim is one of\n${claims.map((known) => `  '${known.says}'`).join('\n')}`,
  );
  process.exitCode = 2;
} else {
  const { broken } = tryOn(claim, { seed: Number(seed), index: Number(index), cases: longCasesPerDocument });
  console.log(broken ?? `holds for all ${longCasesPerDocument} cases of document ${index} of seed ${seed}`);
  process.exitCode = broken === null ? 0 : 1;
}
