import type { Point } from "./cost.ts";

const [width, height] = [640, 300];
const margin = { left: 64, right: 130, top: 34, bottom: 44 } as const;
/** Lines that are told apart on white and on black. */
const colours = ["#2f7ed8", "#d9541e", "#2a9d5c", "#8e5cc4", "#7a7a7a"] as const;
const linesMax = colours.length;
const gridLines = 4;

/** A curve as SVG, readable on a light and on a dark page: CPU of the dearest processes over what was varied. */
export function plot({ title, unit, points }: { title: string; unit: string; points: readonly Point[] }): string {
  const names = dearest(points);
  const last = points.at(-1);
  const top = Math.max(1, ...points.map((point) => sumOf(point)));
  const [low, high] = [Math.log(points[0]?.x ?? 1), Math.log(last?.x ?? 1)];
  const inside = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const xOf = (x: number) => margin.left + ((Math.log(x) - low) / Math.max(1e-9, high - low)) * inside.width;
  const yOf = (us: number) => margin.top + inside.height * (1 - us / top);
  const grid = Array.from({ length: gridLines + 1 }, (_, nth) => (top * nth) / gridLines).map(
    (us) =>
      `<line class="grid" x1="${margin.left}" x2="${margin.left + inside.width}" y1="${yOf(us)}" y2="${yOf(us)}"/>` +
      `<text x="${margin.left - 8}" y="${yOf(us) + 4}" text-anchor="end">${shown(us)}</text>`,
  );
  const ticks = points.map(
    ({ x }) => `<text x="${xOf(x)}" y="${height - margin.bottom + 18}" text-anchor="middle">${shown(x)}</text>`,
  );
  const lines = [...names, "all"].map((name, nth) => {
    const usOf = (point: Point) => (name === "all" ? sumOf(point) : (point.cpuUs[name] ?? 0));
    const style = name === "all" ? 'class="all"' : `stroke="${colours[nth]}"`;
    const path = points.map((point) => `${xOf(point.x).toFixed(1)},${yOf(usOf(point)).toFixed(1)}`).join(" ");
    const dots = points.map(
      (point) => `<circle cx="${xOf(point.x).toFixed(1)}" cy="${yOf(usOf(point)).toFixed(1)}" r="2.5" ${style}/>`,
    );
    const key = `<text class="key" x="${width - margin.right + 12}" y="${margin.top + 16 * nth + 8}" ${name === "all" ? "" : `style="fill:${colours[nth]}"`}>${name}</text>`;
    return `<polyline fill="none" stroke-width="2" ${style} points="${path}"/>${dots.join("")}${key}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .grid { stroke: #8884 } .all { stroke: #333; fill: #333; fill-opacity: 0.6 }
polyline.all { fill: none } @media (prefers-color-scheme: dark) { text { fill: #ccc } .all { stroke: #ddd; fill: #ddd } polyline.all { fill: none } }
</style>
<text x="${margin.left}" y="18">${title}: CPU µs</text>
${grid.join("\n")}
${ticks.join("\n")}
<text x="${margin.left + inside.width / 2}" y="${height - 6}" text-anchor="middle">${unit}</text>
${lines.join("\n")}
</svg>
`;
}

const sumOf = ({ cpuUs }: Point): number => Object.values(cpuUs).reduce((sum, us) => sum + us, 0);

function dearest(points: readonly Point[]): string[] {
  const names = Object.keys(points[0]?.cpuUs ?? {});
  const cost = (name: string) => points.reduce((sum, { cpuUs }) => sum + (cpuUs[name] ?? 0), 0);
  return names.sort((a, b) => cost(b) - cost(a)).slice(0, linesMax);
}

const shown = (value: number): string =>
  value >= 1_000_000
    ? `${value / 1_000_000} M`
    : value >= 10_000
      ? `${Math.round(value / 1_000)} k`
      : String(Math.round(value));
