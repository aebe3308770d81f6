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
