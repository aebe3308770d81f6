/** The first dotted number in a program's words, as `10.11.19`. */
export function versionIn(text: string): string | undefined {
  return /\d+\.\d+(?:\.\d+)*/.exec(text)?.[0];
}

export function atLeast(version: string, oldest: string): boolean {
  const [left, right] = [version, oldest].map((each) => each.split(".").map(Number));
  for (const [at, wanted] of (right ?? []).entries()) {
    const actual = left?.[at] ?? 0;
    if (actual !== wanted) return actual > wanted;
  }
  return true;
}
