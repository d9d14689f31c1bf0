/**
 * The board on which processes that share a Redis say how much each API key asks of them. One short text under one key, on a connection
 * of its own: nothing that a decision waits for goes over it.
 */
import { createHash } from 'node:crypto';
import { type Posted, postedCharsMax, type RateBoard } from '../records/rate-board.ts';
import { StoreError } from '../records/store-error.ts';
import { connect } from './connection.ts';
import type { Script } from './reply.ts';

export interface RateBoardOptions {
  readonly url: string;
  /** What a process said longer ago than this is no longer there. */
  readonly heardForMs: number;
}

export const rateBoardKey = 'sw:rates';
/** More would be a sign that somebody else writes there: it is begun anew. */
const charsMax = 65_536;
const commandTimeoutMs = 1_000;

/** Lines of `process instant words`. The server's clock is everybody's. */
const lua = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' or #held > ${charsMax} then held = '' end
local lines = {}
for process, instant, words in string.gmatch(held, '(%S+) (%d+) (%S+)\\n') do
  local age = now - tonumber(instant)
  if process ~= ARGV[1] and age < tonumber(ARGV[3]) and age > -tonumber(ARGV[3]) then
    lines[#lines + 1] = process .. ' ' .. instant .. ' ' .. words .. '\\n'
  end
end
lines[#lines + 1] = ARGV[1] .. ' ' .. string.format('%.0f', now) .. ' ' .. ARGV[2] .. '\\n'
local text = table.concat(lines)
redis.call('SET', KEYS[1], text, 'PX', 2 * ARGV[3])
return text
`;
const post: Script = { lua, sha: createHash('sha1').update(lua).digest('hex'), isReadOnly: false };

export function openRateBoard({ url, heardForMs }: RateBoardOptions): RateBoard {
  const connection = connect({ url, commandTimeoutMs });
  return {
    async post(process, words) {
      if (words.length > postedCharsMax) throw new StoreError('invalid', 'more API keys have a limit than the board has room for');
      const reply = await connection.run(post, [rateBoardKey], [process, words, heardForMs]);
      return typeof reply === 'string' ? postedIn(reply) : [];
    },
    close() {
      void connection.close();
    },
  };
}

function postedIn(text: string): readonly Posted[] {
  return text.split('\n').flatMap((line) => {
    const [process, , words] = line.split(' ');
    return process === undefined || words === undefined ? [] : [{ process, words }];
  });
}
