import { keyring } from "#lib/mesh/keyring.ts";

const signedForm = /^([1-9][0-9]{9})\.([A-Za-z0-9_-]{43})$/;
/** A wish is for a session of looking, not for good. */
const lifeSecondsMax = 86_400;

/**
 * Who may have a request traced by sending `Debug-Trace`: everybody in development (any value), otherwise whoever an
 * operator gave a signed value, `<expiry, epoch seconds>.<HMAC-SHA256>`, good for a day at most.
 */
export function debugTrace({ key, isOpen }: { key: string; isOpen: boolean }): (header: string) => boolean {
  const keys = keyring(key, "INTERNAL_KEY");
  return (header) => {
    if (isOpen) return true;
    const [, expiry = "", mac = ""] = signedForm.exec(header) ?? [];
    const left = Number(expiry) - Date.now() / 1000;
    if (!(left > 0 && left <= lifeSecondsMax)) return false;
    return keys.verify(partsOf(expiry), Buffer.from(mac, "base64url"));
  };
}

/** Signs a wish that runs out at `expirySeconds`. */
export const signDebugTrace = (key: string, expirySeconds: number): string =>
  `${expirySeconds}.${keyring(key, "INTERNAL_KEY")
    .sign(partsOf(String(expirySeconds)))
    .toString("base64url")}`;

/** The deployment's internal keys sign other things, too; the first word keeps them apart. */
const partsOf = (expiry: string) => [`debug-trace.${expiry}`];
