/** Lengths of time that more than one folder counts in. */
export const daySeconds = 86_400;
export const dayMs = daySeconds * 1000;
