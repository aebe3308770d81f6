// How npm is run, and what its failures mean to a person.
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The npm that started us if there is one (under the given Node), else the one on PATH. */
export function npmCommand(node) {
  const given = process.env.npm_execpath;
  if (given?.endsWith("npm-cli.js") && existsSync(given)) return [node, given];
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    const program = join(dir, "npm");
    if (!existsSync(program)) continue;
    const script = realpathSync(program);
    return script.endsWith(".js") ? [node, script] : [program];
  }
  throw new Error("npm is not on PATH; it comes with Node.js");
}

/** One quick retry: npm's own patience (two, a minute apart) looks like a hang where there is no network. */
export const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"];

export function npmFailure(result, command, what) {
  const text = `${result.stderr ?? ""}${result.stdout ?? ""}${result.error?.message ?? ""}`;
  const code = /\b(E[A-Z][A-Z0-9_]{3,}|E\d{3})\b/.exec(text)?.[1] ?? `exit code ${result.status ?? result.signal}`;
  const lines = text
    .split("\n")
    .map((line) => line.replace(/^npm (error|ERR!)( code)?(?: E[A-Z0-9_]+)?\s*/, "").trim());
  // Its first lines are fields of the error object; the sentence comes after them.
  const sentences = lines.filter(
    (each) => each !== "" && !/^(E[A-Z0-9_]+$|(code|syscall|errno|path|dest|type)\b)/.test(each),
  );
  const line = sentences.find((each) => /^(Missing|Invalid):|reason:/.test(each)) ?? sentences[0] ?? code;
  if (/^(ECONN|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|EPROTO)/.test(code)) {
    return new Error(
      `cannot reach the npm registry: ${line}; check the network or proxy, then run npm ${again(command)} again`,
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new Error(
      `${what} may not write here (${line}); give yourself the right to write, or use a copy of your own`,
    );
  }
  if (code === "ENOSPC") return new Error(`${what} failed: the disk is full`);
  return new Error(`${what} failed: ${line}`);
}

function again(command) {
  return command === "start" || command === "stop" || command === "test" ? command : `run ${command}`;
}
