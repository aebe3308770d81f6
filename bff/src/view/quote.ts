import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { type Audience, PostSchema, type Quote, QuoteSchema } from "#gen/skein/api/v1/resources_pb.ts";
import { contentView, mediaIn, previewIn } from "./beside.ts";
import { messageField, ownBytes } from "./bytes.ts";
import type { AuthorPiece, PostPiece } from "./piece.ts";
import { authorView } from "./user.ts";

/** A slot of a post that quotes another one: empty where its reader may not see that one. */
export type ShownQuote = { readonly of: { readonly post: PostPiece; readonly author: AuthorPiece } | undefined };

type Forms = { readonly author: AuthorPiece; readonly json: Buffer; readonly binary: Buffer };

const none = Buffer.alloc(0);
const empty = formsOf(create(QuoteSchema));
/** What is quoted is read by many; its forms go with its piece, of which they take about as much memory again. */
const kept = new WeakMap<PostPiece, Forms>();

/** Of a post's JSON what stands after its content: nothing where it quotes none. */
export const jsonOfQuote = (quote: ShownQuote | undefined): Buffer => (quote === undefined ? none : filled(quote).json);

/** The same as a field of its message. */
export const binaryOfQuote = (quote: ShownQuote | undefined): Buffer =>
  quote === undefined ? none : filled(quote).binary;

function filled({ of }: ShownQuote): Omit<Forms, "author"> {
  if (of === undefined) return empty;
  const known = kept.get(of.post);
  if (known?.author === of.author) return known;
  const forms = { author: of.author, ...formsOf(quoteView(of)) };
  kept.set(of.post, forms);
  return forms;
}

function quoteView({ post, author }: NonNullable<ShownQuote["of"]>): Quote {
  const { id, version, text, createTime, editTime, audience, content } = post.content;
  return create(QuoteSchema, {
    post: {
      id,
      version: Number(version),
      author: authorView(author.content),
      text,
      audience: audience as number as Audience,
      ...(createTime && { createTime }),
      ...(editTime && { editTime }),
      ...contentView(content),
      ...mediaIn(content),
      ...previewIn(content),
    },
  });
}

function formsOf(quote: Quote): Omit<Forms, "author"> {
  const { jsonName } = PostSchema.field.quote;
  const json = ownBytes(`,"${jsonName}":${JSON.stringify(toJson(QuoteSchema, quote, { alwaysEmitImplicit: true }))}`);
  return { json, binary: messageField(PostSchema.field.quote, toBinary(QuoteSchema, quote)) };
}
