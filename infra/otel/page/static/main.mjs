import { search, services, trace } from "./api.mjs";
import { recent } from "./recent.mjs";
import { waterfall } from "./waterfall.mjs";

const listMax = 50;
const at = (id) => document.getElementById(id);
const form = at("search");
/** Counts what was asked for: an answer that comes after the next question is not shown. */
let asked = 0;

addEventListener("popstate", () => void show());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(pathOf(new FormData(form)));
});
for (const id of ["service", "failed"]) at(id).addEventListener("change", () => form.requestSubmit());
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select")) return;
  event.preventDefault();
  at("id").select();
});
void show();

/** A trace has a place of its own, as in Jaeger's own page; everything else is a search. */
function pathOf(fields) {
  const id = String(fields.get("id")).trim().toLowerCase();
  const [, traceId] = /^(?:00-)?([0-9a-f]{32})(?:-.*)?$/.exec(id) ?? [];
  if (traceId !== undefined) return `/trace/${traceId}`;
  const query = new URLSearchParams();
  if (id !== "") query.set("post", id.replace(/^post:/, ""));
  for (const name of ["service", "least", "failed"]) if (fields.get(name)) query.set(name, fields.get(name));
  return query.size === 0 ? "/" : `/?${query}`;
}

function go(path) {
  history.pushState(null, "", path);
  void show();
}

async function show() {
  const own = ++asked;
  const [, traceId] = /^\/trace\/([0-9a-fA-F]{1,32})$/.exec(location.pathname) ?? [];
  const query = new URLSearchParams(location.search);
  say("Looking …");
  try {
    const [found, names] = await Promise.all([traceId === undefined ? list(query) : one(traceId), services()]);
    if (own !== asked) return;
    fill(query, names, traceId);
    at("main").replaceChildren(...found.content);
    document.title = `${found.title} · Traces`;
    say(found.said);
  } catch (error) {
    if (own !== asked) return;
    at("main").replaceChildren();
    say(error.message);
  }
}

async function one(id) {
  const found = await trace(id);
  if (found === undefined) {
    const said = `Nothing is kept of trace ${id}. A share of requests is, and every one that fails; spans arrive some seconds later.`;
    return { content: [], title: id, said };
  }
  return { content: waterfall(found), title: id.slice(0, 8), said: "" };
}

async function list(query) {
  const post = query.get("post");
  if (post !== null && !/^\d{1,20}$/.test(post)) throw new Error(`“${post}” is neither a trace id nor a post id.`);
  const tags = {};
  if (post !== null) tags["skein.aggregate"] = `post:${post}`;
  if (query.has("failed")) tags.error = "true";
  const found = await search({
    service: query.get("service"),
    tags: Object.keys(tags).length === 0 ? undefined : tags,
    leastMs: Number(query.get("least")) || 0,
    limit: listMax,
  });
  if (found.length > 0)
    return { content: [recent(found)], title: post ?? "Recent", said: post ? `Traces of post ${post}` : "" };
  const said =
    post === null ? "No trace is kept that fits. Make a request, and reload." : `Nothing is kept of post ${post}.`;
  return { content: [], title: "Recent", said };
}

/** The form says what is shown, also after Back. */
function fill(query, names, traceId) {
  const select = at("service");
  const options = ["", ...names].map((name) => new Option(name || "all", name));
  select.replaceChildren(...options);
  select.value = query.get("service") ?? "";
  at("id").value = traceId ?? query.get("post") ?? "";
  at("least").value = query.get("least") ?? "";
  at("failed").checked = query.has("failed");
}

function say(text) {
  at("said").textContent = text;
}
