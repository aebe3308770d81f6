import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ExplainPostResponseSchema } from "#gen/skein/feed/v1/explain_pb.ts";
import { parseId } from "#lib/storage/id.ts";
import { parsed } from "./cli.ts";
import { sentencesOf } from "./explain/sentences.ts";
import { exitCodeOf, findSystem, insist, type Operator, openOperator, usage } from "./operator.ts";
import { LaunchFailure } from "./servers/failure.ts";

const help = `npm run explain -- feed <user> <post> [options]     why a post is in a person's home feed, or why not

<user> is an id or a username, <post> an id. It decides by the home read itself, and changes nothing.

  --dir DIR     the instance (default .skein, or SKEIN_DIR)
  --json        what the feed service answered, as JSON on stdout
  --help        this page

Exit codes: 0 shown, 1 hidden, 2 wrong usage, 3 not running, 5 failed.`;

/** Hidden is an answer and no failure, so that a script can ask; what fails has a code of its own. */
const codes = { shown: 0, hidden: 1, failed: 5 } as const;

const optionTypes = {
  dir: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

process.exitCode = await exitCodeOf("explain", main);

async function main(): Promise<number> {
  const { help: wanted, dir, json, user, post } = readOptions();
  if (wanted) {
    console.log(help);
    return codes.shown;
  }
  const operator = await openOperator(findSystem({ dir, env: process.env }));
  try {
    const viewerId = await idOfUser(operator, user);
    const answer = await insist((options) => operator.feed.explainPost({ viewerId, postId: post }, options));
    if (json) console.log(JSON.stringify(toJson(ExplainPostResponseSchema, answer, { alwaysEmitImplicit: true })));
    else {
      const reposterId = answer.reasons.find(({ repostedById }) => repostedById !== "")?.repostedById;
      const names = await namesOf(operator, viewerId, answer.facts?.authorId, reposterId);
      console.log(sentencesOf(answer, { postId: post, ...names }));
    }
    return answer.shown ? codes.shown : codes.hidden;
  } catch (cause) {
    if (cause instanceof LaunchFailure) throw cause;
    throw new LaunchFailure(cause instanceof Error ? cause.message : String(cause), { exitCode: codes.failed, cause });
  } finally {
    operator.close();
  }
}

/** An id is taken as it is: that nobody has it is an explanation. */
async function idOfUser(operator: Operator, user: string): Promise<string> {
  if (parseId(user) !== undefined) return user;
  try {
    const { user: found } = await insist((options) => operator.user.getUser({ user }, options));
    return found?.id ?? "";
  } catch (cause) {
    if (!(cause instanceof ConnectError) || cause.code !== Code.NotFound) throw cause;
    throw new LaunchFailure(`nobody is called ${user}`, { exitCode: codes.failed, cause });
  }
}

/** Usernames for people; an id where there is none. */
async function namesOf(operator: Operator, viewerId: string, authorId = "", reposterId = "") {
  const userIds = [viewerId, authorId, reposterId];
  const { users } = await insist((options) => operator.user.batchGetUsers({ userIds }, options));
  const [viewer = viewerId, author = authorId, reposter = reposterId] = users.map(({ user }) => user?.username);
  return { viewer, author, reposter };
}

function readOptions() {
  const { values, positionals } = given();
  const [what, user = "", post = "", more] = positionals;
  if (values.help) return { ...values, user, post };
  if (what !== "feed" || user === "" || post === "" || more !== undefined)
    throw usage("what is to be explained? npm run explain -- feed <user> <post>");
  if (parseId(post) === undefined) throw usage(`${post} is not the id of a post`);
  return { ...values, user, post };
}

function given() {
  return parsed({ options: optionTypes, allowPositionals: true });
}
