import { need, serviceConfig, whole } from "#lib/mesh/config.ts";

export const config = {
  ...serviceConfig(process.env),
  /** The key access tokens are signed with: a private Ed25519 JWK. */
  accessKey: need(process.env, "ACCESS_KEY"),
  /** How long an access token lives. */
  accessTokenSeconds: whole(process.env, "ACCESS_TOKEN_SECONDS", 1_800),
  /** Argon2id memory for one password. OWASP asks 19 MiB; tests may ask less. */
  passwordMemoryKib: whole(process.env, "PASSWORD_MEMORY_KIB", 19_456),
};
