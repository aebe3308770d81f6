import { endOf, startOf } from "./api.mjs";
import { took, when } from "./clock.mjs";
import { element } from "./element.mjs";
import { errorOf, huesOf, instanceOf, labelOf, linksOf, treeOf, waitedUs } from "./tree.mjs";

/** Rows beyond this are not drawn: a browser would stand still. */
const rowsMax = 5_000;

/**
 * A trace as a tree in time. Up and Down go from span to span, Left and Right fold and unfold, Enter shows what a span
 * says of itself.
 */
export function waterfall(trace) {
  const range = { start: startOf(trace), us: Math.max(1, endOf(trace) - startOf(trace)) };
  const hues = huesOf(trace);
  const folded = new Set();
  const opened = new Set();
  const rows = element("div", { role: "tree", "aria-label": "Spans" });
  let chosen;

  const toggle = (set, node) => {
    if (!set.delete(node)) set.add(node);
    draw(node);
  };

  function draw(focused) {
    const shown = visible(treeOfTrace, folded).slice(0, rowsMax);
    chosen = focused ?? chosen ?? shown[0]?.node;
    rows.replaceChildren(
      ...shown.flatMap(({ node, depth }) => {
        const row = rowOf(node, { depth, range, hues, isFolded: folded.has(node), isOpen: opened.has(node) });
        row.tabIndex = node === chosen ? 0 : -1;
        row.addEventListener("click", (event) => toggle(event.target.closest(".fold") ? folded : opened, node));
        row.addEventListener("keydown", (event) => onKey(event, node, shown));
        return opened.has(node) ? [row, detailsOf(node, { depth, range })] : [row];
      }),
    );
    if (focused !== undefined) rows.querySelector('[tabindex="0"]')?.focus();
  }

  function onKey(event, node, shown) {
    const at = shown.findIndex((each) => each.node === node);
    const hasChildren = node.children.length > 0;
    const isFolded = folded.has(node);
    const act = {
      ArrowDown: () => draw(shown[at + 1]?.node ?? node),
      ArrowUp: () => draw(shown[at - 1]?.node ?? node),
      Home: () => draw(shown[0].node),
      End: () => draw(shown.at(-1).node),
      ArrowRight: () => (hasChildren && isFolded ? toggle(folded, node) : draw(shown[at + 1]?.node ?? node)),
      ArrowLeft: () => (hasChildren && !isFolded ? toggle(folded, node) : draw(node.parent ?? node)),
      Enter: () => toggle(opened, node),
      " ": () => toggle(opened, node),
    }[event.key];
    if (act === undefined || event.target.closest("a") !== null) return;
    event.preventDefault();
    act();
  }

  const treeOfTrace = treeOf(trace);
  draw();
  return [headOf(trace, treeOfTrace, range), axisOf(range), rows];
}

function visible(nodes, folded, depth = 0) {
  const rows = [];
  const open = nodes.map((node) => ({ node, depth })).reverse();
  while (open.length > 0) {
    const next = open.pop();
    rows.push(next);
    if (!folded.has(next.node)) {
      open.push(...next.node.children.map((node) => ({ node, depth: next.depth + 1 })).reverse());
    }
  }
  return rows;
}

function headOf(trace, nodes, range) {
  const failed = trace.spans.filter((span) => errorOf(span) !== undefined).length;
  const orphans = nodes.filter(({ orphanOf }) => orphanOf !== undefined).length;
  const facts = [when(range.start), took(range.us), `${trace.spans.length} spans`];
  const wrong = [];
  if (failed > 0) wrong.push(`${failed} failed`);
  if (orphans > 0) wrong.push(`${orphans} without their parent`);
  if (trace.spans.length > rowsMax) wrong.push(`only ${rowsMax} of ${trace.spans.length} are drawn`);
  wrong.push(...(trace.warnings ?? []));
  const line = element(
    "p",
    { class: "facts", text: `${facts.join(" · ")} · ` },
    element("span", { class: "id", text: trace.traceID }),
  );
  if (wrong.length > 0) line.append(element("span", { class: "wrong", text: ` · ${wrong.join(" · ")}` }));
  return element("div", {}, element("h1", { text: labelOf(nodes[0].span) }), line);
}

function axisOf({ us }) {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => element("span", { text: took(us * part) }));
  return element(
    "div",
    { class: "row axis number", "aria-hidden": "true" },
    element("span"),
    element("span", { text: "took", class: "took" }),
    element("div", { class: "ticks" }, ...ticks),
  );
}

function rowOf(node, { depth, range, hues, isFolded, isOpen }) {
  const { span, process, children } = node;
  const [error, waited] = [errorOf(span), waitedUs(node)];
  const percent = (us) => `${(us / range.us) * 100}%`;
  const at = (start, us) => ({ "--left": percent(start - range.start), "--width": percent(us) });
  const style = { "--hue": hues.get(process?.serviceName), "--depth": Math.min(depth, 24) };
  const fold = children.length === 0 ? "" : isFolded ? "▸" : "▾";
  const gap = waited > 0 ? element("div", { class: "waited", style: at(span.startTime - waited, waited) }) : undefined;
  const bar = element("div", { class: error ? "bar wrong" : "bar", style: at(span.startTime, span.duration) });
  return element(
    "div",
    {
      class: "row",
      role: "treeitem",
      style,
      "aria-level": depth + 1,
      "aria-selected": isOpen,
      "aria-expanded": children.length === 0 ? undefined : !isFolded,
    },
    element(
      "div",
      { class: "what" },
      element("span", { class: "fold", text: fold, "aria-hidden": "true" }),
      element("span", { class: "process", text: instanceOf(process) }),
      element("span", { class: error ? "name wrong" : "name", text: labelOf(span), title: labelOf(span) }),
      linksOf(span).length > 0 ? element("span", { text: "↪", title: "linked to other traces" }) : undefined,
    ),
    element("span", { class: "took number", text: took(span.duration) }),
    element("div", { class: "track" }, gap, bar),
  );
}

/** Everything a span says of itself. */
function detailsOf(node, { depth, range }) {
  const { span, orphanOf } = node;
  const waited = waitedUs(node);
  const pairs = [
    ["starts after", took(span.startTime - range.start)],
    ["takes", took(span.duration)],
    ...(waited > 0 ? [["waited since its parent ended", took(waited)]] : []),
    ...(orphanOf === undefined ? [] : [["its parent is not here", orphanOf]]),
    ...(span.tags ?? []).map(({ key, value }) => [key, String(value)]),
    ["span id", span.spanID],
  ];
  const list = element("dl", { style: { "--depth": Math.min(depth, 24) } });
  for (const [key, value] of pairs)
    list.append(element("dt", { text: key }), element("dd", { text: value, class: "id" }));
  for (const link of linksOf(span)) {
    const to = element("a", { href: `/trace/${link.traceID}`, text: `${link.traceID} · ${link.spanID}`, class: "id" });
    list.append(element("dt", { text: "linked to" }), element("dd", {}, to));
  }
  return list;
}
