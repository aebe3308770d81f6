type Page = { readonly nextPageToken: string };
/** A list of some RPC, asked page by page. */
export type PagedList<P extends Page> = (request: { pageSize: number; pageToken: string }) => Promise<P>;

/** More than any test has. */
const pagesMax = 1_000;

/** A list to its end: its pages. */
export async function eachPage<P extends Page>(list: PagedList<P>, pageSize: number): Promise<P[]> {
  const pages: P[] = [];
  for (let pageToken = ""; pages.length < pagesMax; ) {
    const page = await list({ pageSize, pageToken });
    pages.push(page);
    if (page.nextPageToken === "") return pages;
    pageToken = page.nextPageToken;
  }
  throw new Error(`a list of more than ${pagesMax} pages`);
}
