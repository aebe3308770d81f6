import { generateKeyPairSync, type JsonWebKey, randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What an instance keeps secret. Made once; losing it signs everyone out and nothing worse. */
export type Keys = {
  mysql: { app: string; admin: string };
  redis: string;
  nats: string;
  /** Signs access tokens; the public half is what readers get. */
  access: { private: JsonWebKey; public: JsonWebKey };
  /** Signs the tokens that name the viewer inside the mesh. */
  internal: string;
  /** Signs page tokens and hides what they hold. */
  cursor: string;
};

const keyBytes = 32;

export async function openKeys(dir: string): Promise<Keys> {
  const file = join(dir, "keys.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as Keys;
  const keys = makeKeys();
  await writeFile(`${file}.new`, JSON.stringify(keys, undefined, 2), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return keys;
}

function makeKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const header = { alg: "EdDSA", use: "sig", kid: randomBytes(8).toString("hex") };
  return {
    mysql: { app: password(), admin: password() },
    redis: password(),
    nats: password(),
    access: {
      private: { ...privateKey.export({ format: "jwk" }), ...header },
      public: { ...publicKey.export({ format: "jwk" }), ...header },
    },
    internal: randomBytes(keyBytes).toString("base64url"),
    cursor: randomBytes(keyBytes).toString("base64url"),
  };
}

/** Hexadecimal, so that it needs no escaping in an address, in SQL or in a configuration. */
function password(): string {
  return randomBytes(keyBytes / 2).toString("hex");
}
