import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsIn } from "../configuration/settings.ts";

const config = (lines: string) => `export const config = {\n${lines}\n};\n`;

test("a setting is its variable, kind and default, and the comment above it", () => {
  const text = config(`  /** Where it is. */
  url: need(process.env, "A_URL"),
  /** How long,
   *  in all. */
  waitMs: whole(env, "WAIT_MS", 2_500),
  /** How much it says. */
  level: word(env, "LEVEL", ["low", "high"], "low") === "high",
  /** Who. */
  name: env.NAME ?? "skein",
  /** Which. */
  port: Number(process.env.A_PORT || 4_318),
  /** Or none. */
  other: env.OTHER,`);
  assert.deepEqual(settingsIn("config.ts", text), [
    { variable: "A_URL", kind: "text", fallback: undefined, meaning: "Where it is." },
    { variable: "WAIT_MS", kind: "whole number", fallback: "2500", meaning: "How long, in all." },
    { variable: "LEVEL", kind: "low \\| high", fallback: "low", meaning: "How much it says." },
    { variable: "NAME", kind: "text", fallback: "skein", meaning: "Who." },
    { variable: "A_PORT", kind: "whole number", fallback: "4318", meaning: "Which." },
    { variable: "OTHER", kind: "text", fallback: "", meaning: "Or none." },
  ]);
});

test("a setting without a comment, or read in another way, is not left out in silence", () => {
  assert.throws(() => settingsIn("config.ts", config('  url: need(env, "A_URL"),')), /url has no comment/);
  assert.throws(() => settingsIn("config.ts", config('  /** X. */\n  url: readIt(env.A_URL + "x"),')), /url|A_URL/);
});
