/** From a data directory that is there already, unless somebody else could have written to it. */
export function useCompiledCode(dataDir: string): void;
