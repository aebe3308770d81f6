import { createCipheriv, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";

const bytesMin = 32;
/** Keys of one purpose at once: the one in use, the one before, the one to come. */
const keysMax = 3;
/** The nonce of AES's counter mode, too. */
export const sealMacBytes = 16;

/**
 * Keys of one purpose, with commas, base64url: the first signs, all are believed. A key is changed without anybody
 * noticing in three steps, each a restart of all processes: put the new one last, then first, then take the old one out
 * once what it signed has run out.
 */
export function keyring(text: string, name: string) {
  const bytes = text.split(",").map((key) => Buffer.from(key, "base64url"));
  if (bytes.some(({ length }) => length < bytesMin)) {
    throw new Error(`${name} must hold at least ${bytesMin} bytes, base64url`);
  }
  // Made once: what it takes to make a key object of bytes is half of what a mac costs.
  const secrets = bytes.map((each) => createSecretKey(each));
  if (secrets.length > keysMax) throw new Error(`${name} must hold at most ${keysMax} keys`);
  const macOf = (secret: KeyObject, parts: readonly (string | Uint8Array)[], bytes: number): Buffer => {
    const hmac = createHmac("sha256", secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest().subarray(0, bytes);
  };

  const sealing = secrets.map((secret) => ({ secret, maskKey: createSecretKey(macOf(secret, ["mask"], 32)) }));
  /** Hides a text, and shows it again. */
  const masked = (maskKey: KeyObject, text: Uint8Array, mac: Uint8Array): Buffer =>
    createCipheriv("aes-256-ctr", maskKey, mac).update(text);

  return {
    /** HMAC-SHA256 of some parts, one after the other, under the first key; its first `bytes`, all 32 where not said. */
    sign: (parts: readonly (string | Uint8Array)[], bytes = 32): Buffer => macOf(secrets[0] as KeyObject, parts, bytes),

    /** Whether any of the keys signed these parts so. Takes the same time whatever is wrong with the mac. */
    verify: (parts: readonly (string | Uint8Array)[], mac: Uint8Array, bytes = 32): boolean =>
      mac.length === bytes && secrets.some((secret) => timingSafeEqual(mac, macOf(secret, parts, bytes))),

    /**
     * A text, hidden and bound to a context under the first key: the masked text, then its mac of 16 bytes. The same gives the
     * same. The mac is the nonce of the mask, so none has to be counted or drawn by chance: SIV, RFC 5297, with HMAC-SHA256.
     */
    seal(text: Uint8Array, context: string): Buffer {
      const [{ secret, maskKey }] = sealing as [(typeof sealing)[number]];
      const mac = macOf(secret, [`seal\n${context}\n`, text], sealMacBytes);
      return Buffer.concat([masked(maskKey, text, mac), mac]);
    },

    /** The text that one of the keys sealed in this context; undefined for anything else. */
    open(sealed: Buffer, context: string): Buffer | undefined {
      const [hidden, mac] = [sealed.subarray(0, -sealMacBytes), sealed.subarray(-sealMacBytes)];
      for (const { secret, maskKey } of sealing) {
        const text = masked(maskKey, hidden, mac);
        if (timingSafeEqual(mac, macOf(secret, [`seal\n${context}\n`, text], sealMacBytes))) return text;
      }
      return undefined;
    },
  };
}
