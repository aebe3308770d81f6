import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository. */
export const root = fileURLToPath(new URL("..", import.meta.url));

export type Outcome = { readonly code: number; readonly output: string };

/** Runs one of the project's own tools (node_modules/.bin) and answers what it said, stdout and stderr as they came. */
export function command(args: readonly string[], cwd = root): Promise<Outcome> {
  const [name = "", ...rest] = args;
  const PATH = [path.join(root, "node_modules", ".bin"), process.env.PATH].join(path.delimiter);
  const child = spawn(name, rest, { cwd, env: { ...process.env, PATH }, stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => said.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => said.push(text));
  return new Promise((resolve) => {
    child.on("error", (err) => resolve({ code: 127, output: `${name}: ${err.message}` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output: said.join("") }));
  });
}
