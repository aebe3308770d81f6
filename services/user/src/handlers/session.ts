import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { importJWK, type JWK, SignJWT } from "jose";

export type Sessions = Awaited<ReturnType<typeof sessions>>;

/**
 * Access tokens: JWTs of RFC 9068 signed with Ed25519, short-lived; whoever has the public key can check them. The
 * answer that holds one is never stored.
 */
export async function sessions({ accessKey, lifeSeconds }: { accessKey: string; lifeSeconds: number }) {
  const jwk = JSON.parse(accessKey) as JWK;
  const key = await importJWK(jwk, "EdDSA");
  return {
    async open(userId: bigint, nowMs = Date.now()) {
      const expire = Math.floor(nowMs / 1000) + lifeSeconds;
      const accessToken = await new SignJWT({})
        .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) })
        .setIssuer("skein")
        .setAudience("skein-api")
        .setSubject(String(userId))
        .setIssuedAt(Math.floor(nowMs / 1000))
        .setExpirationTime(expire)
        .sign(key);
      return { accessToken, expireTime: timestampFromMs(expire * 1000) };
    },
  };
}
