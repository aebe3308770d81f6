import type { JWK } from "jose";
import { type Env, need, whole, word } from "#lib/mesh/config.ts";

/** The environment, read once. */
export function readConfig(env: Env = process.env) {
  return Object.freeze({
    deployment: env.DEPLOYMENT ?? "skein",
    instance: need(env, "INSTANCE"),
    port: whole(env, "PORT", 0),
    meshUrl: need(env, "MESH_URL"),
    internalKey: need(env, "INTERNAL_KEY"),
    accessPublicKey: publicKey(need(env, "ACCESS_PUBLIC_KEY")),
    logLevel: word(env, "LOG_LEVEL", ["debug", "info", "warn", "error"], "info"),
    drainMs: whole(env, "DRAIN_MS", 1_500),
  });
}

/** The user service's Ed25519 key as a JWK. Only the public half: a private one here would be a leak. */
function publicKey(text: string): JWK {
  let key: JWK;
  try {
    key = JSON.parse(text) as JWK;
  } catch (cause) {
    throw new Error("ACCESS_PUBLIC_KEY is not JSON", { cause });
  }
  if (key.kty !== "OKP" || key.crv !== "Ed25519" || typeof key.x !== "string") {
    throw new Error("ACCESS_PUBLIC_KEY is not an Ed25519 JWK");
  }
  if (key.d !== undefined) throw new Error("ACCESS_PUBLIC_KEY holds a private key");
  return key;
}
