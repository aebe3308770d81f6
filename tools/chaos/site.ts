import { createServer } from "node:http";

/** A site that posts of a run link to. */
export type Site = Awaited<ReturnType<typeof openSite>>;

/** Opens a site on this machine whose pages are called as their paths are, whatever they are. */
export async function openSite() {
  const server = createServer((req, res) => {
    const html = `<!doctype html><title>${titleOf(req.url ?? "")}</title>`;
    res.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
  });
  await new Promise<void>((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    /** The address of a page; its name is of letters, digits and dashes. */
    linkTo: (name: string): string => `http://127.0.0.1:${port}/${name}`,
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** What the page of an address is called. */
export const titleOf = (link: string): string => `Page ${link.slice(link.lastIndexOf("/") + 1)}`;
