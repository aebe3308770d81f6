import { styleText } from "node:util";
import type { Entry, Level } from "./entry.ts";

type Style = Parameters<typeof styleText>[0];

const levelStyles: Readonly<Record<Level, Style>> = { debug: "dim", info: "green", warn: "yellow", error: "red" };
const nameStyles: readonly Style[] = ["cyan", "magenta", "blue", "cyanBright", "magentaBright", "blueBright"];

/** One line for a person: when, who, how grave, what, and the fields; where an error came from is a line below. */
export function render(entry: Entry, { isColoured, nameWidth }: { isColoured: boolean; nameWidth: number }): string {
  const paint = (style: Style, text: string) => (isColoured ? styleText(style, text, { validateStream: false }) : text);
  const { time, level, name, msg, fields } = entry;
  const { error, ...others } = fields;
  const wrong = isError(error) ? error : undefined;
  const shown = wrong === undefined ? fields : others;
  const pairs = Object.entries(shown).map(([key, value]) => `${paint("dim", `${key}=`)}${plain(textOf(value))}`);
  const parts = [
    paint("dim", clockOf(time)),
    paint(nameStyles[hashOf(name) % nameStyles.length] ?? "cyan", name.padEnd(nameWidth)),
    paint(levelStyles[level], level.padEnd(5)),
    plain(msg),
    ...pairs,
    ...(wrong === undefined ? [] : [paint("red", plain(wordsOf(wrong)))]),
  ];
  const below = wrong?.at === undefined ? "" : `\n${" ".repeat(13)}${paint("dim", plain(wrong.at))}`;
  return parts.join(" ") + below;
}

/** One line of JSON in the form in which Skein's processes write theirs. */
export const asJson = ({ time, level, name, msg, fields }: Entry): string =>
  JSON.stringify({ time: new Date(time).toISOString(), level, name, msg, ...fields });

type PlainError = { message: string; code?: unknown; at?: string; cause?: unknown };

const isError = (value: unknown): value is PlainError =>
  typeof value === "object" && value !== null && "message" in value && typeof value.message === "string";

function wordsOf({ message, code, cause }: PlainError): string {
  const own = code === undefined ? message : `${message} (${String(code)})`;
  return isError(cause) ? `${own} ← ${wordsOf(cause)}` : own;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** A log may hold what somebody sent; a terminal must not obey it. */
const plain = (text: string): string =>
  [...text].map((letter) => (/\p{Cc}/u.test(letter) ? (letter === "\t" ? " " : "·") : letter)).join("");

/** The local time of day; a log that is looked at is of today. */
function clockOf(time: number): string {
  const at = new Date(time);
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${clock}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

const hashOf = (text: string): number => [...text].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0);
