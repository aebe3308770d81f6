import { versionedFamily } from "./versioned.ts";

/** Thirty days; a version not asked for that long is read from truth again. */
const lifeSeconds = 30 * 86_400;

/**
 * `uver:<user>`: the version of a user's profile (4 bytes), by which everyone who keeps rendered authors knows what is
 * old. Owner: user, which writes it before it answers. Missing: user.BatchGetUsers fills it.
 */
export const authorVersions = versionedFamily("uver", lifeSeconds);

export function encodeAuthorVersion(version: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(version, 0);
  return bytes;
}

export const decodeAuthorVersion = (bytes: Buffer): number => bytes.readUInt32BE(0);
