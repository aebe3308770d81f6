import type { ShareCounts } from "#lib/readmodel/card.ts";
import { bigintOf, type Row } from "#lib/storage/mysql.ts";
import { contentIn, type Written } from "./content.ts";
import { shareColumns, sharesInRow } from "./share.ts";

/** A row of `post`. */
export type PostRow = Written & {
  readonly id: bigint;
  readonly authorId: bigint;
  readonly version: number;
  readonly deleted: boolean;
  readonly audience: number;
  readonly replySetting: number;
  readonly createTime: Date;
  /** Absent in the first version. */
  readonly editTime: Date | undefined;
  /** The version that a link's preview made, where one did. */
  readonly previewVersion?: number | undefined;
  /** Absent where it never was passed on. */
  readonly shares?: ShareCounts | undefined;
};

/** Where it stands, whatever it says. */
export type PostHead = Pick<PostRow, "id" | "authorId" | "version" | "deleted" | "createTime">;

export const postColumns = `id, author_id, version, deleted, audience, text, content, reply_setting, create_time, edit_time, preview_version, ${shareColumns}`;

export const postOf = (row: Row): PostRow => ({
  ...headOf(row),
  audience: Number(row.audience),
  replySetting: Number(row.reply_setting),
  text: String(row.text),
  content: contentIn(row.content),
  editTime: (row.edit_time as Date | null) ?? undefined,
  previewVersion: row.preview_version === null ? undefined : Number(row.preview_version),
  ...(Number(row.count_version) > 0 && { shares: sharesInRow(row) }),
});

export const headOf = (row: Row): PostHead => ({
  id: bigintOf(row.id),
  authorId: bigintOf(row.author_id),
  version: Number(row.version),
  deleted: Number(row.deleted) === 1,
  createTime: row.create_time as Date,
});
