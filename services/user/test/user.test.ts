import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { importJWK, jwtVerify } from "jose";
import { AccountState } from "#gen/skein/graph/v1/graph_pb.ts";
import type { RegisterRequest, Session, User } from "#gen/skein/user/v1/user_pb.ts";
import { type Booted, boot } from "#lib/harness/boot.ts";
import { refused } from "#lib/harness/refused.ts";
import { type Scratch, scratch } from "#lib/harness/scratch.ts";
import { until } from "#lib/harness/until.ts";
import { explain } from "#lib/mesh/errors.ts";
import { authorVersions, decodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { newId } from "#lib/storage/id.ts";
import { passwords } from "../src/handlers/password.ts";

let place: Scratch;
let system: Booted<"graph" | "user">;
let user: typeof system.clients.user;
let operator: typeof user;
before(async () => {
  place = scratch(process.env);
  // Dear enough that leaving out a hash would show in the time a log-in takes.
  system = await boot(place, ["graph", "user"], { env: { PASSWORD_MEMORY_KIB: "16384" } });
  user = system.clients.user;
  operator = system.operator.user;
});
after(async () => {
  await system?.stop();
  await place?.close();
});

const as = (viewerId?: string) => system.as(viewerId);
const password = "correct horse battery";
let names = 0;
const newName = () => `name_${++names}`;

type Wanted = Partial<Pick<RegisterRequest, "username" | "password" | "displayName">>;

async function register(wanted: Wanted = {}): Promise<{ user: User; session: Session }> {
  const answer = await user.register({ username: newName(), password, ...wanted }, as());
  assert.ok(answer.user && answer.session);
  return { user: answer.user, session: answer.session };
}

const logIn = (username: string, word = password) => user.logIn({ username, password: word }, as());
const getUser = (name: string) => user.getUser({ user: name }, as()).then((answer) => answer.user);

async function count(from: string, ...params: string[]): Promise<number> {
  const [row] = await system.db("user").query(`SELECT COUNT(*) AS n FROM ${from}`, params);
  return Number(row?.n);
}

async function hasAccount(userId: string): Promise<boolean> {
  const { accounts } = await system.clients.graph.batchGetAccounts({ userIds: [userId] }, as());
  return accounts[0]?.userId === userId;
}

test("Register opens an account here and in the graph, and signs it in", async () => {
  const username = newName();
  const { user: made, session } = await register({ username, displayName: "Anna Ó Néill 🌊" });
  assert.deepEqual([made.username, made.displayName, made.bio, made.version], [username, "Anna Ó Néill 🌊", "", 1n]);
  assert.ok(made.createTime && Math.abs(timestampMs(made.createTime) - Date.now()) < 60_000);
  assert.ok(await hasAccount(made.id));
  assert.deepEqual(await getUser(made.id), made);
  assert.equal(await count("outbox WHERE type = 'UserRegistered' AND aggregate = ?", `user:${made.id}`), 1);

  const key = await importJWK(system.accessKey as Parameters<typeof importJWK>[0], "EdDSA");
  const expected = { issuer: "skein", audience: "skein-api", typ: "at+jwt", algorithms: ["EdDSA"] };
  const { payload } = await jwtVerify(session.accessToken, key, expected);
  assert.equal(payload.sub, made.id);
  assert.ok(session.expireTime);
  assert.equal(timestampMs(session.expireTime), Number(payload.exp) * 1000);
  assert.equal(Number(payload.exp) - Number(payload.iat), 1_800);
});

test("a display name is kept in any script, and is the username where it is empty", async () => {
  for (const displayName of ["東京 花子", "محمد", "अनन्या", "Ω≈ç√", "👩‍👩‍👧‍👦", "😀".repeat(50), "a'b\"c\\d;--"]) {
    const { user: made } = await register({ displayName });
    assert.equal(made.displayName, displayName);
    assert.equal((await getUser(made.id))?.displayName, displayName);
  }
  assert.equal(
    (await register({ displayName: "e\u0301" })).user.displayName,
    "\u00e9",
    "composed, so that equal looks equal",
  );
  for (const displayName of ["", " \u3000"]) {
    const { user: made } = await register({ displayName });
    assert.equal(made.displayName, made.username);
  }
});

test("Register names the field that is wrong", async () => {
  const wrong: [field: string, Wanted][] = [
    ...[
      "",
      "ab",
      "a".repeat(31),
      "1abc",
      "_abc",
      "ab-c",
      "ab c",
      "änna",
      "аnna",
      "\u212Aelvin",
      "anna\n",
      "anna\u0000",
    ].map((username): [string, Wanted] => ["username", { username }]),
    ...["", "1234567", "😀".repeat(7), "a".repeat(129), "a".repeat(5_000)].map((word): [string, Wanted] => [
      "password",
      { password: word },
    ]),
    ...["a".repeat(51), "a\u0000b", "line\nline"].map((displayName): [string, Wanted] => [
      "display_name",
      { displayName },
    ]),
  ];
  for (const [field, wanted] of wrong) await refused(register(wanted), Code.InvalidArgument, "validation", field);
  for (const username of ["abc", "a".repeat(30), "a_9"])
    assert.equal((await register({ username })).user.username, username);
  for (const word of ["12345678", "😀".repeat(8), "😀".repeat(128), "  spaces count  "]) {
    const { user: made } = await register({ password: word });
    assert.equal((await logIn(made.username, word)).user?.id, made.id);
  }
});

test("a username is folded to lower case wherever it is said", async () => {
  const { user: made } = await register({ username: "Folded_NAME" });
  assert.equal(made.username, "folded_name");
  assert.equal((await getUser("FOLDED_name"))?.id, made.id);
  assert.equal((await logIn("foldeD_Name")).user?.id, made.id);
  await refused(
    register({ username: "FOLDED_NAME", password: "another password" }),
    Code.AlreadyExists,
    "handle-taken",
    "username",
  );
});

test("the same registration again, even at once, is the same account; another password finds the name taken", async () => {
  const username = newName();
  const made = await Promise.all(Array.from({ length: 6 }, () => register({ username, displayName: "first" })));
  const again = await register({ username, displayName: "second" });
  assert.deepEqual(new Set([...made, again].map(({ user: { id } }) => id)).size, 1);
  assert.equal(again.user.displayName, "first");
  assert.equal(await count("user WHERE username = ?", username), 1);
  assert.equal(await count("outbox WHERE aggregate = ?", `user:${again.user.id}`), 1);
  const other = { username, password: `${password}!` };
  await refused(register(other), Code.AlreadyExists, "handle-taken", "username");
  await system
    .db("user")
    .exec("UPDATE user SET create_time = create_time - INTERVAL 1 HOUR WHERE username = ?", [username]);
  await refused(register({ username }), Code.AlreadyExists, "handle-taken", "username");
});

test("LogIn refuses an unknown name, a wrong password and an account without one in the same words and time", {
  timeout: 60_000,
}, async () => {
  const { user: made } = await register();
  const silent = newName();
  await operator.importUsers({ users: [{ username: silent }] }, as());
  const long = "a".repeat(29);
  await register({ username: `${long}b` });
  assert.equal((await logIn(made.username)).user?.id, made.id);
  const attempts = {
    wrong: [made.username, "wrong password"],
    almost: [made.username, ` ${password}`],
    unknown: ["nobody_at_all", password],
    silent: [silent, ""],
    silentToo: [silent, password],
    empty: ["", ""],
    beyond: [`${long}bc`, password],
    script: ["änna ☃", password],
    sign: [made.username.replace("n", "\uff4e"), password],
  } as const;
  const told = new Set<string>();
  const fastest = new Map<string, number>();
  // In turns, so that whatever else the machine does meets all kinds alike.
  for (let turn = 0; turn < 5; turn++) {
    for (const [kind, [name, word]] of Object.entries(attempts)) {
      const start = performance.now();
      const err = await logIn(name, word).then(
        () => assert.fail(`${kind} was let in`),
        (thrown: unknown) => ConnectError.from(thrown),
      );
      fastest.set(kind, Math.min(performance.now() - start, fastest.get(kind) ?? Number.POSITIVE_INFINITY));
      told.add(JSON.stringify([err.code, err.rawMessage, explain(err)]));
    }
  }
  assert.deepEqual(
    [...told],
    [
      JSON.stringify([
        Code.Unauthenticated,
        "the name or the password is wrong",
        { reason: "invalid-credentials", violations: [] },
      ]),
    ],
  );
  const due = fastest.get("wrong") as number;
  for (const [kind, ms] of fastest) assert.ok(ms > due / 3, `${kind} took ${ms} ms, a wrong password ${due} ms`);
});

test("who closed their account, or is suspended, logs in to find it; who ended it finds no account to log in to", async () => {
  const { user: person } = await register();
  const logIn = () => system.clients.user.logIn({ username: person.username, password }, as());
  const { graph } = system.clients;
  await graph.setOwnState({ state: AccountState.DEACTIVATED }, as(person.id));
  await refused(system.clients.user.getUser({ user: person.id }, as()), Code.NotFound, "not-found");
  assert.equal((await logIn()).user?.id, person.id);
  assert.equal((await system.operator.user.getUser({ user: person.username }, as())).user?.id, person.id);
  await graph.setOwnState({ state: AccountState.GONE }, as(person.id));
  await refused(register({ username: person.username }), Code.AlreadyExists, "handle-taken", "username");
  await refused(logIn(), Code.Unauthenticated, "invalid-credentials");
});

test("a flood of log-ins is refused beyond what can wait, and the others are answered", {
  timeout: 60_000,
}, async () => {
  const { user: made } = await register();
  const cheap = await passwords({ memoryKib: 4_096 }).hash(password);
  await system.db("user").exec("UPDATE user SET password_hash = ? WHERE id = ?", [cheap, made.id]);
  // What a machine that is busy otherwise refuses for that, it does not refuse in every flood.
  await until("some are refused for their number, and some let in", async () => {
    const answers = await Promise.allSettled(Array.from({ length: 400 }, () => logIn(made.username)));
    const refusals = answers.flatMap((one) => (one.status === "rejected" ? [ConnectError.from(one.reason)] : []));
    const forNumber = refusals.filter(({ code }) => code === Code.ResourceExhausted);
    for (const err of forNumber) assert.equal(explain(err).reason, "overloaded");
    return forNumber.length > 0 && refusals.length < answers.length;
  });
  await until("who comes after it is let in", async () => (await logIn(made.username)).user?.id === made.id);
});

test("of the passwords that are checked at once two are at work and 256 wait; one more is refused, and no other", async () => {
  const { hash, verify } = passwords({ memoryKib: 64 });
  const stored = await hash(password);
  assert.equal(await verify(password, undefined), false, "and what an unknown name is checked against is made");
  const checks = Array.from({ length: 400 }, () => verify(password, stored));
  const refusals = (await Promise.allSettled(checks)).map((one, nth) => {
    if (one.status === "fulfilled") return assert.ok(one.value);
    const err = ConnectError.from(one.reason);
    assert.deepEqual([err.code, explain(err).reason], [Code.ResourceExhausted, "overloaded"]);
    return nth;
  });
  assert.deepEqual(
    refusals.filter((nth) => nth !== undefined),
    Array.from({ length: 400 - 258 }, (_, nth) => 258 + nth),
  );
  assert.equal(await verify(password, stored), true, "there is room again");
});

test("GetUser finds by id and by name; anyone else is NOT_FOUND", async () => {
  const { user: made } = await register();
  for (const name of [made.id, made.username, made.username.toUpperCase()]) assert.deepEqual(await getUser(name), made);
  for (const name of [String(newId()), "nobody_here", "", "0", "änna", "☃", `${made.id}0000`, " "])
    await refused(getUser(name), Code.NotFound, "not-found");
});

test("BatchGetUsers answers in the order asked, absent is empty, 100 at most", async () => {
  const [a, b] = [(await register()).user, (await register()).user];
  const userIds = [b.id, "abc", a.id, String(newId()), b.id, "", a.username];
  const { users } = await user.batchGetUsers({ userIds }, as());
  assert.deepEqual(
    users.map((slot) => slot.user),
    [b, undefined, a, undefined, b, undefined, undefined],
  );
  const many = (of: number) => user.batchGetUsers({ userIds: Array.from({ length: of }, () => a.id) }, as());
  assert.equal((await many(100)).users.length, 100);
  assert.equal((await many(0)).users.length, 0);
  await refused(many(101), Code.InvalidArgument, "validation", "user_ids");
});

test("BatchGetUsers leaves the versions it found in the read model, also after Redis lost everything", async () => {
  const { user: made } = await register();
  const kept = async () => {
    const [bytes] = await system.redis.run(
      system.redis.pipeline().getBuffer(authorVersions.keyOf(system.redis, BigInt(made.id))),
    );
    return bytes === null ? undefined : decodeAuthorVersion(bytes as Buffer);
  };
  assert.equal(await kept(), 1, "left by the registration");
  await system.flush();
  assert.equal(await kept(), undefined);
  assert.deepEqual((await user.batchGetUsers({ userIds: [made.id] }, as())).users[0]?.user, made);
  assert.equal(await kept(), 1);
});

test("ImportUsers answers ids in the order asked; taken names keep theirs; they share a password", async () => {
  const { user: taken } = await register({ displayName: "before" });
  const [one, two] = [newName(), newName()];
  const users = [
    { username: one.toUpperCase(), displayName: "Ünï", bio: "✍️ hello" },
    { username: taken.username, displayName: "after" },
    { username: two },
    { username: one, displayName: "twice in one call" },
  ];
  const { userIds } = await operator.importUsers({ users, password }, as());
  const [first, second, third, fourth] = userIds as [string, string, string, string];
  assert.equal(userIds.length, 4);
  await Promise.all(userIds.map((userId) => system.clients.graph.createAccount({ userId }, as())));
  assert.equal(second, taken.id);
  assert.equal(fourth, first);
  assert.deepEqual((await operator.importUsers({ users, password }, as())).userIds, userIds);
  const made = await getUser(first);
  assert.deepEqual([made?.username, made?.displayName, made?.bio], [one, "Ünï", "✍️ hello"]);
  assert.equal((await getUser(second))?.displayName, "before");
  assert.equal((await getUser(third))?.displayName, two);
  assert.equal((await logIn(two)).user?.id, third);
  assert.equal(await count("outbox WHERE aggregate IN (?, ?)", `user:${first}`, `user:${third}`), 2);
});

test("ImportUsers sent twice at once is as once", async () => {
  const users = Array.from({ length: 50 }, () => ({ username: newName() }));
  const answers = await Promise.all(
    [users, [...users].reverse(), users].map((of) => operator.importUsers({ users: of }, as())),
  );
  assert.deepEqual(answers[1]?.userIds, [...(answers[0]?.userIds ?? [])].reverse());
  assert.deepEqual(answers[2]?.userIds, answers[0]?.userIds);
});

test("ImportUsers is the operator's, 1,000 at most, and names the field that is wrong", async () => {
  const many = (of: number) => Array.from({ length: of }, () => ({ username: newName() }));
  await refused(user.importUsers({ users: many(1) }, as("1")), Code.PermissionDenied, "forbidden");
  await refused(operator.importUsers({ users: many(1_001) }, as()), Code.InvalidArgument, "validation", "users");
  assert.equal(new Set((await operator.importUsers({ users: many(1_000) }, as())).userIds).size, 1_000);
  assert.deepEqual((await operator.importUsers({ users: [] }, as())).userIds, []);
  const wrong: [field: string, request: object][] = [
    ["users.username", { users: [{ username: "no name" }] }],
    ["display_name", { users: [{ username: newName(), displayName: "a".repeat(51) }] }],
    ["bio", { users: [{ username: newName(), bio: "a".repeat(501) }] }],
    ["password", { users: many(1), password: "short" }],
  ];
  for (const [field, request] of wrong)
    await refused(operator.importUsers(request, as()), Code.InvalidArgument, "validation", field);
});

test("a registration that was cut in the middle is finished by the same call, by a log-in and by the sweeper", {
  timeout: 60_000,
}, async () => {
  const { user: known } = await register({});
  const [called, loggedIn, swept] = [newName(), newName(), newName()];
  await system.kill("graph", "SIGKILL");
  for (const username of [called, loggedIn, swept])
    await assert.rejects(register({ username }), { code: Code.Unavailable });
  const idOf = async (username: string) => {
    const [row] = await system.db("user").query("SELECT user_id FROM username WHERE username = ?", [username]);
    return String(row?.user_id);
  };
  const cut = await Promise.all([called, loggedIn, swept].map(idOf));
  for (const name of [...cut, swept]) await refused(getUser(name), Code.NotFound, "not-found");
  assert.deepEqual(
    (await user.batchGetUsers({ userIds: cut }, as())).users.map((slot) => slot.user),
    [undefined, undefined, undefined],
  );
  const { authors } = await user.batchGetAuthors({ userIds: [...cut, known.id, "x"] }, as());
  assert.deepEqual(
    authors.map((slot) => slot.user?.id),
    [undefined, undefined, undefined, known.id, undefined],
  );
  await system.start("graph");

  assert.equal((await register({ username: called })).user.id, cut[0]);
  assert.equal((await logIn(loggedIn)).user?.id, cut[1]);
  // Old enough to have been left by its caller.
  const aged = "UPDATE user SET create_time = create_time - INTERVAL 1 MINUTE WHERE username = ?";
  await system.db("user").exec(aged, [swept]);
  await until("the sweeper was there", () =>
    getUser(swept).then(
      () => true,
      () => false,
    ),
  );
  for (const id of cut) {
    assert.ok(await hasAccount(id));
    assert.equal(await count("outbox WHERE type = 'UserRegistered' AND aggregate = ?", `user:${id}`), 1);
  }
  assert.equal((await logIn(swept)).user?.id, cut[2]);
});
