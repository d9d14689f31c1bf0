/** Why a command could not do its work at all: a sentence for the person at the terminal, and no stack. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

/** What a system error says to people, without its path and its call. */
export function systemSentence(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return sentences[code] ?? (code === '' ? 'something unexpected went wrong' : code);
}

/** For what the system says about the data directory; anything else is our own fault, and stays what it is. */
export function dataDirectoryFailure(directory: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const why = error.code === 'ENOENT' ? 'no directory can be made there' : systemSentence(error);
  return new CannotRun(`STEPWELL_DATA_DIR \`${directory}\` cannot be used: ${why}`);
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is not a directory',
  EEXIST: 'something else has that name',
  EACCES: 'permission denied',
  EPERM: 'that is not permitted there',
  EROFS: 'the file system is read only',
  ENOSPC: 'the disk is full',
  EISDIR: 'it is a directory',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine does not have that address',
};
