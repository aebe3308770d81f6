import { Tokenizer } from "htmlparser2";
import { lineOf } from "./text.ts";

const titleMax = 200;
const descriptionMax = 300;
const siteNameMax = 60;
const altMax = 300;
/** Characters of one attribute or title that are kept; a page of one attribute is one page. */
const valueMax = 8_192;

/** What a page says of itself. */
export type Said = {
  readonly title: string;
  /** Empty where it says nothing, as is the name of the site. */
  readonly description: string;
  readonly siteName: string;
  /** As it stands there; undefined where it names none. */
  readonly image: { readonly url: string; readonly alt: string } | undefined;
};

/**
 * Reads Open Graph (https://ogp.me), the cards of Twitter and the title and description of HTML, in this order. Undefined where there
 * is no title. Takes time in proportion to the text, whatever it is: no tree is built, nothing of it is run.
 */
export function saidBy(html: string): Said | undefined {
  const { meta, title } = tagsOf(html);
  const first = (...names: string[]): string =>
    names.map((name) => meta.get(name) ?? "").find((value) => value !== "") ?? "";
  const named = lineOf(first("og:title", "twitter:title") || title, titleMax);
  if (named === "") return undefined;
  const image = first("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src").trim();
  return {
    title: named,
    description: lineOf(first("og:description", "twitter:description", "description"), descriptionMax),
    siteName: lineOf(first("og:site_name"), siteNameMax),
    image: image === "" ? undefined : { url: image, alt: lineOf(first("og:image:alt", "twitter:image:alt"), altMax) },
  };
}

/** The first value of each `meta`, by its name in lower case, and the first title. */
function tagsOf(html: string): { readonly meta: ReadonlyMap<string, string>; readonly title: string } {
  const meta = new Map<string, string>();
  let tag = "";
  let attribute = "";
  let value = "";
  let title: string | undefined;
  let inTitle = false;
  let attributes = new Map<string, string>();
  const add = (to: string, more: string): string => (to.length < valueMax ? to + more : to);

  const tokens = new Tokenizer(
    { decodeEntities: true },
    {
      onopentagname(start, end) {
        tag = end - start > "title".length ? "" : html.slice(start, end).toLowerCase();
        attributes = new Map();
        if (tag === "title" && title === undefined) [title, inTitle] = ["", true];
      },
      onattribname(start, end) {
        attribute = end - start > "property".length ? "" : html.slice(start, end).toLowerCase();
        value = "";
      },
      onattribdata(start, end) {
        value = add(value, html.slice(start, Math.min(end, start + valueMax)));
      },
      onattribentity(codePoint) {
        value = add(value, String.fromCodePoint(codePoint));
      },
      onattribend() {
        if (tag === "meta" && !attributes.has(attribute)) attributes.set(attribute, value);
      },
      onopentagend: () => note(),
      onselfclosingtag: () => note(),
      ontext(start, end) {
        if (inTitle) title = add(title ?? "", html.slice(start, Math.min(end, start + valueMax)));
      },
      ontextentity(codePoint) {
        if (inTitle) title = add(title ?? "", String.fromCodePoint(codePoint));
      },
      onclosetag() {
        inTitle = false;
      },
      oncdata: ignored,
      oncomment: ignored,
      ondeclaration: ignored,
      onprocessinginstruction: ignored,
      onend: ignored,
    },
  );
  tokens.write(html);
  tokens.end();
  return { meta, title: title ?? "" };

  function note(): void {
    if (tag !== "meta") return;
    const name = (attributes.get("property") ?? attributes.get("name") ?? "").toLowerCase();
    if (known.has(name) && !meta.has(name)) meta.set(name, attributes.get("content") ?? "");
  }
}

const ignored = (): void => {};

const known = new Set([
  "og:title",
  "og:description",
  "og:site_name",
  "og:image",
  "og:image:url",
  "og:image:secure_url",
  "og:image:alt",
  "twitter:title",
  "twitter:description",
  "twitter:image",
  "twitter:image:src",
  "twitter:image:alt",
  "description",
]);
