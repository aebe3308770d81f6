import sharp from "sharp";
import { createSkein, MediaKind } from "../../sdk/index.ts";

type Sender = { readonly doors: readonly string[]; readonly token: string; readonly key: string };

/** A small photo, the same for all: what is tried is the way, not the decoder. */
const photo = await sharp({ create: { width: 160, height: 120, channels: 3, background: "#3a6ea5" } })
  .jpeg()
  .toBuffer();

/** Of one request: then its door is left. */
const answerMs = 5_000;
/** Of the whole way: a photo that did not go up by then does not. */
const sendMs = 30_000;

/** What a client with a bad connection does: sends a photo until it is there, by the other door where one fails. */
export async function sendPhoto({ doors, token, key }: Sender): Promise<string> {
  const skein = createSkein({ baseUrl: doors[0] ?? "", token, fetch: rotating(doors) });
  const signal = AbortSignal.timeout(sendMs);
  const { id } = await skein.upload({ kind: MediaKind.PHOTO, bytes: new Uint8Array(photo), alt: "blue", key, signal });
  return id;
}

/** Asks one door; the next one from then on, where it does not answer or says that it cannot. */
function rotating(doors: readonly string[]): typeof fetch {
  let at = 0;
  const leave = () => {
    at = (at + 1) % doors.length;
  };
  return async (input, init) => {
    const { pathname, search } = new URL(String(input));
    const late = AbortSignal.timeout(answerMs);
    const signal = init?.signal ? AbortSignal.any([init.signal, late]) : late;
    try {
      const answer = await fetch(`${doors[at]}${pathname}${search}`, { ...init, signal });
      if (answer.status >= 500) leave();
      return answer;
    } catch (reason) {
      leave();
      // A door that is silent is like one that is not there: the client asks again.
      throw init?.signal?.aborted ? reason : new TypeError("no answer", { cause: reason });
    }
  };
}

/** Whether a form of a photo is there, and a photo. */
export async function isServed(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerMs) });
  if (answer.status !== 200) return false;
  const { width = 0 } = await sharp(Buffer.from(await answer.arrayBuffer())).metadata();
  return width > 0;
}
