import type { DemoAccount } from "./seed-demo.ts";
import type { InstanceStatus } from "./status.ts";

/** What a person reads when everything is up: where it is, who to be, what to try. */
export function readyReport(
  { edge, edges = [], mesh, traces, dir, processes }: InstanceStatus,
  { accounts, serversOnly }: { accounts: readonly DemoAccount[]; serversOnly: boolean },
): string {
  const lines = serversOnly
    ? processes.map(({ name, address }) => `  ${name.padEnd(8)} ${address}`)
    : [
        `  front door  ${[edge, ...edges.slice(1)].join(", ")}`,
        ...doorLines(edge ?? ""),
        `  mesh        ${mesh?.replaceAll(",", ", ")}`,
        ...processes.flatMap(({ name, address }) => (name === "prometheus" ? [`  prometheus  ${address}`] : [])),
        ...(traces === undefined ? [] : [`  traces      ${traces}`]),
      ];
  lines.push(`  data, logs  ${dir}`, "");
  const [first] = accounts;
  if (edge !== undefined && first !== undefined) {
    lines.push("  demo accounts (user name / password):");
    lines.push(
      ...accounts.map(({ username, password }) => `    ${username} / ${password}`),
      "",
      ...tryLines(edge, first),
    );
  }
  return ["", "Skein is ready.", "", ...lines].join("\n");
}

/** One address, and what is spoken there. */
const doorLines = (edge: string): string[] => [
  `    JSON      ${edge}/v1/feed, all of it at ${edge}/docs`,
  `    Connect   ${edge}/skein.api.v1.FeedService/ListHomeFeed`,
  `    gRPC-web  ${edge}/skein.api.v1.FeedService/ListHomeFeed`,
  `    gRPC      ${edge.replace("http://", "")}, without TLS; buf curl and grpcurl need no schema`,
];

function tryLines(edge: string, { username, password }: DemoAccount): string[] {
  const json = "-H 'content-type: application/json'";
  const signIn = JSON.stringify({ username, password });
  return [
    "  try:",
    `    TOKEN=$(curl -s ${edge}/v1/auth/login ${json} -d '${signIn}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')`,
    `    curl -s ${edge}/v1/posts ${json} -H "authorization: Bearer $TOKEN" -H "idempotency-key: $(date +%s%N)" -d '{"text":"Hello from the launcher"}'`,
    `    curl -s ${edge}/v1/feed -H "authorization: Bearer $TOKEN"`,
    "",
  ];
}

export function statusTable({ edge, deployment, phase, processes }: InstanceStatus): string {
  const header = ["name", "pid", "version", "address", "health", "memory", "restarts"];
  const rows = processes.map((each) => [
    each.name,
    String(each.pid || "-"),
    each.version,
    [each.address, each.grpcAddress].filter(Boolean).join(" "),
    each.healthy ? "healthy" : "not healthy",
    `${Math.round(each.rssBytes / 1024 / 1024)} MB`,
    String(each.restarts),
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [`${deployment} is ${phase}${edge ? ` at ${edge}` : ""}`, "", ...[header, ...rows].map(line)]
    .map((each) => each.trimEnd())
    .join("\n");
}
