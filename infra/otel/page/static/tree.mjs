//! What spans mean and how they hang together. The same rules as `infra/otel/tree.ts`, in what browsers run.

/** Roots first, then spans whose parent is not here; each with its children in the order of start. */
export function treeOf({ spans, processes }) {
  const nodes = new Map();
  const sorted = [...spans].sort((left, right) => left.startTime - right.startTime);
  for (const span of sorted) nodes.set(span.spanID, { span, process: processes[span.processID], children: [] });
  const roots = [];
  const orphans = [];
  for (const node of nodes.values()) {
    const parentId = parentOf(node.span);
    const parent = nodes.get(parentId);
    node.parent = parent;
    if (parentId === undefined) roots.push(node);
    else if (parent === undefined || isBelow(node, parent, nodes))
      orphans.push(Object.assign(node, { orphanOf: parentId }));
    else parent.children.push(node);
  }
  return [...roots, ...orphans];
}

function isBelow(node, under, nodes) {
  const seen = new Set();
  for (let at = under; at !== undefined && !seen.has(at); at = nodes.get(parentOf(at.span))) {
    if (at === node) return true;
    seen.add(at);
  }
  return false;
}

const references = ({ references: sent }) => sent ?? [];
const isParent = (span) => (reference) => reference.refType === "CHILD_OF" && reference.traceID === span.traceID;
const parentOf = (span) => references(span).find(isParent(span))?.spanID;
export const linksOf = (span) => references(span).filter((reference) => !isParent(span)(reference));

const tag = (span, key) => span.tags?.find((each) => each.key === key)?.value;

/** What went wrong, or undefined. */
export function errorOf(span) {
  const isError = tag(span, "error") === true || tag(span, "otel.status_code") === "ERROR";
  return isError ? String(tag(span, "otel.status_description") ?? "failed") : undefined;
}

export const instanceOf = (process) =>
  process?.tags?.find(({ key }) => key === "service.instance.id")?.value ?? process?.serviceName ?? "unknown";

/** A proxy calls every request "ingress"; what was asked for is in its attributes. */
export function labelOf(span) {
  const [method, url] = [tag(span, "http.method"), tag(span, "http.url")];
  if (span.operationName !== "ingress" || method === undefined || !URL.canParse(url)) return span.operationName;
  const path = new URL(url).pathname;
  const [, rpc] = /^\/(?:[a-z0-9]+\.)+([A-Za-z]+\/[A-Za-z]+)$/.exec(path) ?? [];
  return rpc ?? [method, path, tag(span, "http.status_code")].join(" ").trim();
}

/** A colour for each service of a trace, as far from its neighbours' as can be. */
export function huesOf({ spans, processes }) {
  const sorted = [...spans].sort((left, right) => left.startTime - right.startTime);
  const names = new Set(sorted.map(({ processID }) => processes[processID]?.serviceName));
  return new Map([...names].map((name, index) => [name, (255 + index * 137.5) % 360]));
}

/** Microseconds between a parent's end and its child's start: what a message waited in a queue. */
export function waitedUs({ span, parent }) {
  return parent === undefined ? 0 : Math.max(0, span.startTime - parent.span.startTime - parent.span.duration);
}
