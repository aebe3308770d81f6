import { setTimeout as sleep } from "node:timers/promises";
import { isFine, type World } from "./deeds/deed.ts";
import { type Deed, deeds } from "./deeds.ts";

/** A request, from when it was due to when it was answered for good. */
export type Request = {
  readonly name: string;
  readonly isWrite: boolean;
  readonly dueTime: number;
  readonly endTime: number;
  readonly isFailed: boolean;
  /** How often the client sent it. */
  readonly sent: number;
  /** Why it failed. */
  readonly why: string;
};

/** Requests under way at once: what is due beyond that has failed, unsent. Half a minute of 120 a second. */
const underWayMax = 4_000;

export type Load = ReturnType<typeof drive>;

/** Requests at a steady rate, whatever becomes of them: an open loop, in which a stall is many late answers. */
export function drive({ rate, ...world }: World & { readonly rate: number }) {
  const { random } = world;
  const requests: Request[] = [];
  const underWay = new Set<Promise<void>>();
  const ofHundred = deeds.flatMap((deed) => Array.from({ length: deed.share }, () => deed));
  let isStopped = false;
  let failure: { reason: unknown } | undefined;

  const one = async (nth: number, dueTime: number): Promise<void> => {
    // Each once, so that the shortest run has them all; then by chance.
    const { name, isWrite, run } = deeds[nth] ?? random.pick(ofHundred as [Deed, ...Deed[]]);
    const about = { name, isWrite, dueTime };
    if (underWay.size >= underWayMax) {
      requests.push({ ...about, endTime: dueTime, isFailed: true, sent: 0, why: `${underWayMax} under way` });
      return;
    }
    const { said, wrong } = await run(world);
    const { type = "", detail = "" } = said.body;
    const why = wrong ?? (said.status === 0 ? said.broke.join(", then ") : `${said.status} ${type} ${detail}`.trim());
    const isFailed = !isFine(said.status) || wrong !== undefined;
    const sent = said.broke.length + (said.status === 0 ? 0 : 1);
    requests.push({ ...about, endTime: Date.now(), isFailed, sent, why });
  };

  const loop = async () => {
    const startTime = Date.now();
    for (let nth = 0; !isStopped; nth++) {
      const dueTime = startTime + (nth * 1_000) / rate;
      if (dueTime > Date.now()) await sleep(dueTime - Date.now());
      const request = one(nth, dueTime)
        .catch((reason) => {
          failure ??= { reason };
        })
        .finally(() => underWay.delete(request));
      underWay.add(request);
    }
  };
  const looping = loop();

  return {
    requests: requests as readonly Request[],
    /** Begins nothing more, and waits for what is under way. Fails where the journal could not be written. */
    async stop(): Promise<void> {
      isStopped = true;
      await looping;
      await Promise.all(underWay);
      if (failure !== undefined) throw failure.reason;
    },
  };
}
