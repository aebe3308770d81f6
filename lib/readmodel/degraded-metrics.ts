import { counter } from "#lib/mesh/metrics.ts";

/** Take `labels(…)` or count by `what`: a page, a card, a change `unapplied`, or `refused` where too many asked at once. */
export const degradedTotal = counter({
  name: "skein_degraded_total",
  help: "Answers made without Redis, from truth: home and author pages, cards of posts, standings, changes unapplied; refused where too many asked at once.",
  labels: ["what"],
});
