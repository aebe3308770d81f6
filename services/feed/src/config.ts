import { serviceConfig, whole } from "#lib/mesh/config.ts";

export const config = {
  ...serviceConfig(process.env),
  /** How often a reader's feed is held against truth; 0 is never. */
  auditMs: whole(process.env, "AUDIT_MS", 10_000),
};
