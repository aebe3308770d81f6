import { Code, type ConnectError } from "@connectrpc/connect";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { type Binding, fieldOf, isVariable } from "./binding.ts";

/** The RPC a request is for, and what its path says. */
export type Match = { readonly binding: Binding; readonly path: Readonly<Record<string, string>> };

/** NOT_FOUND for an unknown path; `method-not-allowed`, with an Allow header, for a known path and another verb. */
type Matcher = (verb: string, path: string) => Match;

type Node = { literals: Map<string, Node>; variable: Node | undefined; bindings: Binding[] };

/**
 * Exact matching over a handful of templates: no normalising, no case folding, no trailing slash, so that there is no
 * second spelling of a path for a rule in front of us to miss.
 */
export function createMatcher(bindings: readonly Binding[]): Matcher {
  const root = node();
  for (const binding of bindings) plant(root, binding);
  return (verb, path) => {
    const place = path.startsWith("/") ? walk(root, path.slice(1).split("/"), 0) : undefined;
    if (place === undefined) throw notFound("path");
    const asked = verb === "HEAD" ? "GET" : verb;
    const binding = place.bindings.find((candidate) => candidate.verb === asked);
    if (binding === undefined) throw notAllowed(place.bindings);
    return { binding, path: valuesOf(binding, path) };
  };
}

function notAllowed(bindings: readonly Binding[]): ConnectError {
  const allow = bindings.flatMap(({ verb }) => (verb === "GET" ? ["GET", "HEAD"] : [verb])).join(", ");
  const err = problem(Code.Unimplemented, "method-not-allowed", `this path takes ${allow}`);
  err.metadata.set("Allow", allow);
  return err;
}

const node = (): Node => ({ literals: new Map(), variable: undefined, bindings: [] });

function plant(root: Node, binding: Binding): void {
  let at = root;
  for (const segment of binding.segments) {
    if (isVariable(segment)) {
      at.variable ??= node();
      at = at.variable;
    } else {
      const next = at.literals.get(segment) ?? node();
      at.literals.set(segment, next);
      at = next;
    }
  }
  if (at.bindings.some(({ verb }) => verb === binding.verb)) {
    throw new Error(`${binding.name}: ${binding.verb} /${binding.segments.join("/")} is taken`);
  }
  at.bindings.push(binding);
}

/** A literal wins over a variable. As deep as the longest template. */
function walk(at: Node, segments: readonly string[], depth: number): Node | undefined {
  const segment = segments[depth];
  if (segment === undefined) return at.bindings.length > 0 ? at : undefined;
  const literal = at.literals.get(segment);
  const through = literal && walk(literal, segments, depth + 1);
  if (through !== undefined) return through;
  return at.variable !== undefined && segment !== "" ? walk(at.variable, segments, depth + 1) : undefined;
}

/** Anything that could mean more than one segment, or that no id or name holds, names nothing. */
const unfit = /[\p{Cc}/\\]/u;

function valuesOf(binding: Binding, path: string): Record<string, string> {
  const values: Record<string, string> = {};
  const sent = path.slice(1).split("/");
  binding.segments.forEach((segment, at) => {
    if (!isVariable(segment)) return;
    const value = decoded(sent[at] ?? "");
    if (value === undefined || unfit.test(value)) throw notFound("path");
    values[fieldOf(segment)] = value;
  });
  return values;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
