import { exitCodes, LaunchFailure } from "./failure.ts";
import { programKinds } from "./kinds.ts";
import { answers, mysqlGreeting } from "./probe.ts";
import { atLeast, versionIn } from "./version.ts";

type Given = { mysqlUrl?: string; redisUrl?: string; natsUrl?: string };

/** What each server says first names its version; Redis has to be asked. */
const greetings = {
  mysqlUrl: { kind: programKinds.mariadb, variable: "MYSQL_URL", port: 3306, pattern: mysqlGreeting },
  redisUrl: {
    kind: programKinds.redis,
    variable: "REDIS_URL",
    port: 6379,
    pattern: /redis_version:\S+\r\n|-\w+ .*\r\n/,
  },
  natsUrl: { kind: programKinds.nats, variable: "NATS_URL", port: 4222, pattern: /^INFO .*\r\n/ },
} as const;

/** A server given by address must be there and new enough: an old one fails later, and less clearly. */
export async function requireFitting(given: Given): Promise<void> {
  await Promise.all(
    (Object.keys(greetings) as (keyof Given)[]).map(async (name) => {
      const url = given[name];
      if (url !== undefined) await requireOne(name, url);
    }),
  );
}

async function requireOne(name: keyof Given, urlText: string): Promise<void> {
  const { kind, variable, port, pattern } = greetings[name];
  if (!URL.canParse(urlText)) {
    throw new LaunchFailure(`${variable} is not an address`, { exitCode: exitCodes.usage });
  }
  const url = new URL(urlText);
  const address = { host: url.hostname, port: Number(url.port || port) };
  const where = `${variable} (${address.host}:${address.port})`;
  const answer = await answers(address, { write: name === "redisUrl" ? redisQuestion(url) : "", pattern });
  if (answer === undefined)
    throw new LaunchFailure(`${where}: no ${kind.title} answers there; start it or unset ${variable}`);
  const text = name === "natsUrl" ? (/"version":"([^"]*)"/.exec(answer)?.[1] ?? "") : afterPrefix(answer);
  const version = versionIn(text);
  if (version === undefined) throw new LaunchFailure(`${where}: ${answer.split("\r\n")[0]?.slice(0, 120)}`);
  const oldest = kind.oldestVersion(/MariaDB/.test(answer) || name !== "mysqlUrl" ? "mariadb" : "mysql");
  if (!atLeast(version, oldest)) {
    throw new LaunchFailure(`${where} is ${kind.title} ${version}, and ${oldest} or newer is needed`);
  }
}

function redisQuestion(url: URL): string {
  const user = decodeURIComponent(url.username || "default");
  const sign = url.password === "" ? "" : `AUTH ${user} ${decodeURIComponent(url.password)}\r\n`;
  return `${sign}INFO server\r\n`;
}

/** MariaDB puts 5.5.5- before its version, for old replicas. */
function afterPrefix(answer: string): string {
  return answer.replace(/5\.5\.5-/, "").replace(/^[\s\S]*?redis_version:/, "");
}
