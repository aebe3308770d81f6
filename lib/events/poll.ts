import { randomBytes } from "node:crypto";
import { createInbox, type NatsConnection } from "nats";
import { unavailable } from "#lib/mesh/errors.ts";

/** What each process of the deployment says to one question; asked over core NATS, so nothing is kept. */
export type Poll = {
  /** Answers the question in this process from now on. */
  answer(say: () => string): void;
  /**
   * Asks everyone, this process too, and gathers what is said within `waitMs`, or until somebody says `enough`. Who does not
   * answer cannot be told from who is not there. UNAVAILABLE where not even this process' own answer came: NATS is away.
   */
  ask(waitMs: number, enough: string): Promise<readonly string[]>;
};

type Needs = {
  /** UNAVAILABLE before the first connect. */
  readonly connection: () => NatsConnection;
  /** Calls back with the first connection, at once where there is one. */
  readonly begin: (then: (connection: NatsConnection) => void) => void;
  readonly subject: string;
};

export function pollOn({ connection, begin, subject }: Needs): Poll {
  /** By which a process knows its own answer. */
  const self = randomBytes(6).toString("hex");

  return {
    answer(say) {
      begin((linked) => {
        linked.subscribe(subject, { callback: (err, question) => err ?? question.respond(`${self} ${say()}`) });
      });
    },

    async ask(waitMs, enough) {
      const linked = connection();
      const inbox = createInbox();
      const said: string[] = [];
      let heardSelf = false;
      await new Promise<void>((done) => {
        const answers = linked.subscribe(inbox, {
          callback(err, message) {
            const [who, what = ""] = err === null ? message.string().split(" ") : [];
            if (who === undefined || message.headers?.code) return;
            heardSelf ||= who === self;
            said.push(what);
            if (what === enough) end();
          },
        });
        // What came and was not read yet, because this process was busy, is read before this.
        const late = setTimeout(() => setImmediate(end), waitMs);
        const end = () => {
          clearTimeout(late);
          answers.unsubscribe();
          done();
        };
        linked.publish(subject, undefined, { reply: inbox });
      });
      if (!heardSelf && !said.includes(enough)) throw unavailable("nats");
      return said;
    },
  };
}
