import { createHash } from "node:crypto";

/** What a request asks. */
export type Kind = "feed" | "connect" | "person" | "post" | "like" | "comment" | "create" | "bare";

/** Shares of the requests, which add up to one. */
export type Mix = Readonly<Partial<Record<Kind, number>>>;

/** All that requests are made of. */
export type Deck = {
  readonly mix: Mix;
  readonly pageSize: number;
  readonly people: readonly { readonly id: string; readonly token: string }[];
  /** Posts to look at, like and comment on. */
  readonly posts: readonly string[];
  /** Whose own pages are asked for. */
  readonly authors: readonly string[];
  /** Writes so far: the next one is of another pair of person and post. */
  readonly written: number;
  /** Begins idempotency keys. */
  readonly name: string;
};

/** Of what the yardstick is asked. */
export const bareDeck: Deck = {
  mix: { bare: 1 },
  pageSize: 0,
  people: [{ id: "", token: "" }],
  posts: [],
  authors: [],
  written: 0,
  name: "",
};

/** One request: whose it is, and its bytes. */
export type Card = { readonly kind: Kind; readonly person: number; readonly bytes: Buffer };

/**
 * Deals requests by chance that comes out the same each time. Reads are made once for each person; writes are each their own:
 * every like is of another pair until all pairs are through, then they are taken back one by one, so each changes something.
 */
export function deal({ mix, pageSize, people, posts, authors, name, written }: Deck) {
  const kinds = Object.entries(mix) as [Kind, number][];
  const random = randomOf(name, written);
  const below = (max: number) => Math.floor(random() * max);
  const reads = new Map<string, Buffer>();
  const pairs = people.length * posts.length;
  let writes = written;

  const once = (key: string, make: () => Buffer): Buffer => {
    const known = reads.get(key) ?? make();
    reads.set(key, known);
    return known;
  };
  const get = (person: number, path: string) =>
    once(`${person} ${path}`, () => Buffer.from(`GET ${path} HTTP/1.1\r\n${headOf(person)}\r\n`));
  const headOf = (person: number) => `Host: 127.0.0.1\r\nAuthorization: Bearer ${people[person]?.token}\r\n`;
  const send = (person: number, path: string, body: string) => {
    const key = `Idempotency-Key: ${name}-${writes++}\r\n`;
    const length = Buffer.byteLength(body);
    return Buffer.from(
      `POST ${path} HTTP/1.1\r\n${headOf(person)}${key}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
  };

  const make: Record<Kind, (person: number) => Card> = {
    bare: (person) => ({ kind: "bare", person, bytes: bareGet }),
    feed: (person) => ({ kind: "feed", person, bytes: get(person, `/v1/feed?pageSize=${pageSize}`) }),
    connect: (person) => ({
      kind: "connect",
      person,
      bytes: once(`${person} connect`, () => connectPost(headOf(person), pageSize)),
    }),
    person: (person) => ({
      kind: "person",
      person,
      bytes: get(person, `/v1/users/${authors[below(authors.length)]}/posts?pageSize=${pageSize}`),
    }),
    post: (person) => ({ kind: "post", person, bytes: get(person, `/v1/posts/${posts[below(posts.length)]}`) }),
    create: (person) => ({ kind: "create", person, bytes: send(person, "/v1/posts", textOf(writes)) }),
    comment: (person) => ({
      kind: "comment",
      person,
      bytes: send(person, `/v1/posts/${posts[below(posts.length)]}/comments`, textOf(writes)),
    }),
    like() {
      const nth = writes++;
      const person = (nth + Math.floor(nth / posts.length)) % people.length;
      const method = Math.floor(nth / pairs) % 2 === 0 ? "PUT" : "DELETE";
      const path = `/v1/posts/${posts[nth % posts.length]}/like`;
      const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\n${headOf(person)}Content-Length: 0\r\n\r\n`);
      return { kind: "like", person, bytes };
    },
  };

  const kindBy = (chance: number): Kind => {
    let sum = 0;
    for (const [kind, share] of kinds) {
      sum += share;
      if (chance < sum) return kind;
    }
    return kinds[0]?.[0] ?? "bare";
  };

  return {
    /** The next request, of a person by chance, or of the one named. */
    next(person = below(people.length)): Card {
      return make[kindBy(random())](person);
    },
    written: () => writes,
  };
}

const bareGet = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");

/** ListHomeFeedRequest with its first field, page_size, as protobuf. */
function connectPost(head: string, pageSize: number): Buffer {
  const body = Buffer.from([8, pageSize]);
  const path = "/skein.api.v1.FeedService/ListHomeFeed";
  const more = `Content-Type: application/proto\r\nConnect-Protocol-Version: 1\r\nContent-Length: ${body.length}\r\n`;
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}${more}\r\n`), body]);
}

const textOf = (nth: number): string => JSON.stringify({ text: `Number ${nth}, written while others read 🧶` });

/** mulberry32, seeded by a hash of the name. */
function randomOf(name: string, from: number): () => number {
  let state = createHash("sha256").update(`${name} ${from}`).digest().readUInt32LE();
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
