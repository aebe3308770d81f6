import { keyring } from "#lib/mesh/keyring.ts";
import { parseId } from "#lib/storage/id.ts";

const macBytes = 16;

/** Upload tokens: who holds one may send the bytes of one upload, and nothing else. */
export type UploadTokens = ReturnType<typeof uploadTokens>;

/** Made from the id under the deployment's internal keys, so that none is stored. */
export function uploadTokens(key: string) {
  const keys = keyring(key, "INTERNAL_KEY");
  // The deployment's internal keys sign other things, too; the first word keeps them apart.
  const partsOf = (id: bigint) => [`upload.${id}`];
  return {
    mint: (id: bigint): string => `${id}.${keys.sign(partsOf(id), macBytes).toString("base64url")}`,

    /** The id of the upload; undefined for what is no token of ours. */
    read(token: string): bigint | undefined {
      const [text = "", mac = "", ...more] = token.split(".");
      const id = parseId(text);
      if (id === undefined || more.length > 0) return undefined;
      return keys.verify(partsOf(id), Buffer.from(mac, "base64url"), macBytes) ? id : undefined;
    },
  };
}
