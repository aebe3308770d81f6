import { Code } from "@connectrpc/connect";
import { invalid, problem } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { readBytes } from "../door/body.ts";
import type { Context, Middleware } from "../door/state.ts";
import type { Admission } from "../middleware/shed.ts";
import { type Asking, askingOf } from "./asking.ts";
import { patient } from "./patience.ts";
import { createPeople, named, numbered } from "./people.ts";
import { createTimelines, itemsAt, sliceOf } from "./timeline.ts";

const prefix = "/wrk2-api/";
const plain = "text/plain; charset=utf-8";
const json = "application/json; charset=utf-8";

type Form = ReturnType<typeof formOf>;
type Answer = { readonly type: string; readonly text: string };
type Route = { readonly method: "GET" | "POST"; readonly answer: (form: Form, context: Context) => Promise<Answer> };

/**
 * `/wrk2-api/*` as DeathStarBench's socialNetwork has it, so that its graph loader and wrk2 scripts run unchanged against
 * us. It signs nobody in and trusts whoever a request names, so it is there for a load test alone
 * (`npm start -- --with wrk2-api`). https://github.com/delimitrou/DeathStarBench
 *
 * Where the two differ: user N must be called username_N; a mention is no reason to be in somebody's home timeline; media
 * ids are taken and not answered.
 */
export function wrk2Api(clients: Clients, admission: Admission): Middleware {
  const routes = routesTo(clients, admission);
  return async (ctx, next) => {
    if (!ctx.path.startsWith(prefix)) return await next();
    const route = routes[ctx.path.slice(prefix.length)];
    if (route === undefined) throw problem(Code.NotFound, "not-found", "no such operation");
    if (ctx.method !== route.method) throw notAllowed(route.method);
    const { type, text } = await route.answer(formOf(await parametersOf(ctx)), ctx);
    ctx.status = 200;
    ctx.set("Content-Type", type);
    ctx.body = Buffer.from(text);
  };
}

function routesTo(clients: Clients, admission: Admission): Readonly<Record<string, Route>> {
  const patiently = patient();
  const reading = (answer: (form: Form, asking: Asking) => Promise<Answer>): Route => ({
    method: "GET",
    async answer(form, { state }) {
      const leave = admission.enter();
      return await answer(form, askingOf(state)).finally(leave);
    },
  });
  const writing = (answer: (form: Form, asking: Asking) => Promise<Answer>): Route => ({
    method: "POST",
    answer: (form, { state }) => patiently(() => answer(form, askingOf(state))),
  });

  const people = createPeople(clients);
  const timelineOf = createTimelines(clients);
  const { feed, graph, post } = clients;

  async function pairOf(form: Form, asking: Asking) {
    const byId = form.has("user_id") && form.has("followee_id");
    const [one, other] = byId
      ? [numbered("user_id", form.need("user_id")), numbered("followee_id", form.need("followee_id"))]
      : [named("user_name", form.need("user_name")), named("followee_name", form.need("followee_name"))];
    const [viewerId, userId] = await Promise.all([people.find(one, asking), people.find(other, asking)]);
    if (viewerId === undefined) throw problem(Code.NotFound, "not-found", `${one.username} is not registered`);
    if (userId === undefined) throw problem(Code.NotFound, "not-found", `${other.username} is not registered`);
    return { viewerId, userId };
  }

  return {
    "user/register": writing(async (form, asking) => {
      const person = named("username", form.need("username"));
      if (numbered("user_id", form.need("user_id")).number !== person.number) {
        throw invalid("username", "must be username_<user_id>, as the scripts name people");
      }
      const displayName = `${form.need("first_name")} ${form.need("last_name")}`;
      await people.register(person, { password: form.need("password"), displayName }, asking);
      return said("Success!");
    }),

    "user/follow": writing(async (form, asking) => {
      const { viewerId, userId } = await pairOf(form, asking);
      await graph.followUser({ userId }, asking.as(viewerId));
      return said("Success!");
    }),

    "user/unfollow": writing(async (form, asking) => {
      const { viewerId, userId } = await pairOf(form, asking);
      await graph.unfollowUser({ userId }, asking.as(viewerId));
      return said("Success!");
    }),

    "post/compose": writing(async (form, asking) => {
      const author = numbered("user_id", form.need("user_id"));
      form.need("username");
      form.need("post_type");
      const viewerId = await people.findOrRegister(author, asking);
      await post.createPost({ text: form.need("text"), idempotencyKey: asking.requestId }, asking.as(viewerId));
      return said("Successfully upload post");
    }),

    "home-timeline/read": reading(async (form, asking) => {
      const slice = sliceOf(form.need("start"), form.need("stop"));
      const viewerId = await people.find(numbered("user_id", form.need("user_id")), asking);
      if (viewerId === undefined) return { type: json, text: "[]" };
      const items = await itemsAt(slice, (page) => feed.listHomeFeed(page, asking.as(viewerId)));
      return { type: json, text: await timelineOf(items, viewerId, asking) };
    }),

    "user-timeline/read": reading(async (form, asking) => {
      const slice = sliceOf(form.need("start"), form.need("stop"));
      const authorId = await people.find(numbered("user_id", form.need("user_id")), asking);
      if (authorId === undefined) return { type: json, text: "[]" };
      const items = await itemsAt(slice, (page) => feed.listAuthorFeed({ authorId, ...page }, asking.as(undefined)));
      return { type: json, text: await timelineOf(items, undefined, asking) };
    }),
  };
}

const said = (text: string): Answer => ({ type: plain, text: `${text}\n` });

/** The first of each name: of a URL, or of a form. */
async function parametersOf(ctx: Context): Promise<URLSearchParams> {
  if (ctx.method === "GET") return new URLSearchParams(ctx.querystring);
  const bytes = await readBytes(ctx.req);
  return new URLSearchParams(bytes.toString("utf8"));
}

function formOf(parameters: URLSearchParams) {
  return {
    has: (field: string): boolean => Boolean(parameters.get(field)),
    /** INVALID_ARGUMENT where it is missing or empty. */
    need(field: string): string {
      const value = parameters.get(field);
      if (!value) throw invalid(field, "must be given");
      return value;
    },
  };
}

function notAllowed(method: string) {
  const err = problem(Code.Unimplemented, "method-not-allowed", `send ${method}`);
  err.metadata.set("Allow", method);
  return err;
}
