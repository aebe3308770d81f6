import { Code, type HandlerContext } from "@connectrpc/connect";
import { invalid, problem } from "#lib/mesh/errors.ts";

const pageSizeDefault = 20;
/** One batch of each noun fills a page. */
export const pageSizeMax = 100;
/** Tokens of ours have some 100 characters. */
const pageTokenForm = /^[\x21-\x7e]{1,1024}$/;

type Asked = { readonly pageSize?: number | undefined; readonly pageToken?: string | undefined };

/** The page a client asks for. Nothing is clamped silently; a token given empty is a client that lost it. */
export function pageOf({ pageSize = pageSizeDefault, pageToken }: Asked): { pageSize: number; pageToken: string } {
  if (pageSize < 1 || pageSize > pageSizeMax) throw invalid("page_size", `must be 1 to ${pageSizeMax}`);
  if (pageToken !== undefined && !pageTokenForm.test(pageToken)) {
    const violation = { field: "page_token", rule: "must be the nextPageToken of the page before" };
    throw problem(Code.InvalidArgument, "invalid-cursor", "not a page token of ours", [violation]);
  }
  return { pageSize, pageToken: pageToken ?? "" };
}

/** A place to read above, as a client names it; what it must be, whoever has the list says. Given empty it is lost, as a token is. */
export function aboveOf({ after }: { readonly after?: string | undefined }): string {
  if (after === "") throw invalid("after", "must be an activityId, or the newerPageToken of the page below");
  return after ?? "";
}

/** Marks a page that was made without Redis: as right as any, and dearer. */
export function tellDegraded(fromTruth: boolean, ctx: Pick<HandlerContext, "responseHeader">): void {
  if (fromTruth) ctx.responseHeader.set("Skein-Degraded", "redis");
}
