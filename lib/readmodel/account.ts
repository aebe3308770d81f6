import { versionedFamily } from "./versioned.ts";

/** An account as whoever decides about its things sees it: 6 bytes. `state` is graph's AccountState. */
export type AccountMark = { readonly version: number; readonly state: number; readonly isPrivate: boolean };

/** Thirty days; an account not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;

/**
 * `acct:<user>`: version (4 bytes), state (1), private (1). Owner: graph, which writes it after its commit and before its
 * answer. Missing: graph.BatchGetStandings fills it.
 */
export const accountMarks = versionedFamily("acct", lifeSeconds);

export function encodeAccountMark({ version, state, isPrivate }: AccountMark): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32BE(version, 0);
  bytes.writeUInt8(state, 4);
  bytes.writeUInt8(isPrivate ? 1 : 0, 5);
  return bytes;
}

export const decodeAccountMark = (bytes: Buffer): AccountMark => ({
  version: bytes.readUInt32BE(0),
  state: bytes.readUInt8(4),
  isPrivate: bytes.readUInt8(5) === 1,
});
