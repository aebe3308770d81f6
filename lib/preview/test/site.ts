import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export type Site = Awaited<ReturnType<typeof site>>;

type Page = (res: ServerResponse, req: IncomingMessage) => void;

/** A site of some paths, until the test ends. `asked` are the paths it was asked for, and what with. */
export async function site(
  t: Pick<TestContext, "after">,
  pages: Readonly<Record<string, Page>>,
  host = "127.0.0.1",
  port = 0,
) {
  const asked: { path: string; headers: IncomingMessage["headers"] }[] = [];
  const answer: RequestListener = (req, res) => {
    const path = (req.url ?? "").split("?")[0] ?? "";
    asked.push({ path, headers: req.headers });
    const page = pages[path];
    if (page === undefined) res.writeHead(404).end();
    else page(res, req);
  };
  const server = createServer(answer);
  server.listen(port, host);
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const at = (server.address() as AddressInfo).port;
  return { asked, port: at, url: `http://${host}:${at}` };
}

/** A page as most are. */
export const html =
  (text: string | Buffer, type = "text/html; charset=utf-8"): Page =>
  (res) =>
    void res.writeHead(200, { "content-type": type }).end(text);

export const redirect =
  (to: string): Page =>
  (res) =>
    void res.writeHead(302, { location: to }).end();
