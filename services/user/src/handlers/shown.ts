import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { StoredUser } from "../store.ts";

export const shown = ({ id, version, username, displayName, bio, createTime, avatar }: StoredUser) => ({
  id: String(id),
  version: BigInt(version),
  username,
  displayName,
  bio,
  createTime: timestampFromDate(createTime),
  ...(avatar && { avatar }),
});

/** A slot of a batch: empty where there is nobody to be shown. */
export const slotOf = (user: StoredUser | undefined) => (user === undefined ? {} : { user: shown(user) });
