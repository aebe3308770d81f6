import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

/** A running service: `services/<noun>/src/main.ts` as its own process. */
export type ServiceProcess = {
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM; throws where it does not leave in order, or was gone already without being killed here. */
  leave(): Promise<void>;
};

const root = path.resolve(import.meta.dirname, "../..");
/** As the launcher starts them. */
const heapMaxMiB = 256;
/** A process that takes longer to leave is killed, and the test has failed. */
const leaveMs = 12_000;
/** Lines kept for the reader of a test that failed. */
const linesMax = 30;

/** Starts a service and waits until it says that it is ready. Its warnings are printed where the test file fails. */
export async function startService(noun: string, env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const file = path.join(root, "services", noun, "src/main.ts");
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMaxMiB}`, file], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit") as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  const said: string[] = [];
  const keep = (line: string) => {
    if (!line.includes('"level":"info"')) said.push(line);
    if (said.length > linesMax) said.shift();
  };
  // A test file that ends in any way takes its services along.
  process.once("exit", (code) => {
    child.kill("SIGKILL");
    if (code !== 0 && said.length > 0) process.stderr.write(`${noun} said:\n${said.join("\n")}\n`);
  });
  createInterface({ input: child.stderr }).on("line", keep);
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      keep(line);
      if (/"msg":"ready"/.test(line)) resolve();
    });
  });
  const died = ended.then(([code]) => Promise.reject(new Error(`${noun} ended with ${code}:\n${said.join("\n")}`)));
  await Promise.race([ready, died]);
  died.catch(() => {});

  let killed = false;
  return {
    async kill(signal) {
      killed = true;
      child.kill(signal);
      await ended;
    },
    async leave() {
      if (killed) return;
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), leaveMs);
      const [code, signal] = await ended;
      clearTimeout(late);
      if (code !== 0) throw new Error(`${noun} did not leave in order (${code ?? signal}):\n${said.join("\n")}`);
    },
  };
}
