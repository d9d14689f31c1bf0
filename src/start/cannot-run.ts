/** Why a command could not do its work at all: a sentence for the person at the terminal, and no stack. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

/** What a system error says to people, without its path and its call. */
export function systemSentence(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return sentences[code] ?? (code === '' ? 'something unexpected went wrong' : code);
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is not a directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine does not have that address',
};
