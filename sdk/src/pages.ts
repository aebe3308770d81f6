/** Where a list goes on. */
export type Page = { readonly pageSize: number; readonly pageToken?: string };

/** Items of one page, unless said otherwise: as many as a list answers at most. */
const pageSizeMax = 100;

/**
 * Every item of a list, page by page, each asked for when it is needed: whoever stops looking stops asking. Ends where the list
 * ends; a page may be short, or empty, before that.
 */
export async function* each<R extends { readonly nextPageToken: string }, T>(
  list: (page: Page) => Promise<R>,
  itemsOf: (answer: R) => readonly T[],
  pageSize = pageSizeMax,
): AsyncGenerator<T, void, undefined> {
  for (let pageToken = ""; ; ) {
    const answer = await list({ pageSize, ...(pageToken !== "" && { pageToken }) });
    yield* itemsOf(answer);
    pageToken = answer.nextPageToken;
    if (pageToken === "") return;
  }
}

/** Every item of a list above a place, from the nearest upwards, in the same way. */
export async function* eachAbove<R extends { readonly newerPageToken?: string | undefined }, T>(
  place: string,
  list: (page: { readonly pageSize: number; readonly after: string }) => Promise<R>,
  itemsOf: (answer: R) => readonly T[],
  pageSize = pageSizeMax,
): AsyncGenerator<T, void, undefined> {
  for (let after: string | undefined = place; after !== undefined; ) {
    const answer: R = await list({ pageSize, after });
    yield* itemsOf(answer).toReversed();
    after = answer.newerPageToken;
  }
}
