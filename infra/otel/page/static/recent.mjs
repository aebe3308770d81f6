import { endOf, startOf } from "./api.mjs";
import { took, when } from "./clock.mjs";
import { element } from "./element.mjs";
import { errorOf, labelOf, treeOf } from "./tree.mjs";

/** A table of traces, a link each. */
export function recent(traces) {
  const head = element("tr", {}, ...["When", "What"].map((text) => element("th", { text, scope: "col" })));
  for (const text of ["Took", "Spans", "Failed"]) head.append(element("th", { text, scope: "col", class: "number" }));
  head.append(element("th", { text: "Services", scope: "col" }));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...traces.map(line)));
}

function line(trace) {
  const { spans, traceID } = trace;
  const failed = spans.filter((span) => errorOf(span) !== undefined).length;
  const names = [...spans]
    .sort((left, right) => left.startTime - right.startTime)
    .map(({ processID }) => trace.processes[processID]?.serviceName ?? "unknown");
  const number = (text) => element("td", { text, class: "number" });
  const link = element("a", { href: `/trace/${traceID}`, text: labelOf(treeOf(trace)[0].span) });
  return element(
    "tr",
    {},
    element("td", { text: when(startOf(trace)), class: "time" }),
    element("td", {}, link),
    number(took(endOf(trace) - startOf(trace))),
    number(String(spans.length)),
    element("td", { text: failed === 0 ? "" : String(failed), class: "number wrong" }),
    element("td", { text: [...new Set(names)].join(" · "), class: "services" }),
  );
}
