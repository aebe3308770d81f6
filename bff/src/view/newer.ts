import { ListHomeFeedResponseSchema } from "#gen/skein/api/v1/feed_pb.ts";
import { type Rendered, rendered } from "../door/rendered.ts";
import { messageField } from "./bytes.ts";

/** A page that goes on above, too. Every page that can has the field under the same name and number. */
export function withNewer(page: Rendered, newerPageToken: string): Rendered {
  if (newerPageToken === "") return page;
  const { newerPageToken: field } = ListHomeFeedResponseSchema.field;
  return rendered({
    json: () =>
      Buffer.concat([
        page.json().subarray(0, -1),
        Buffer.from(`,"${field.jsonName}":${JSON.stringify(newerPageToken)}}`),
      ]),
    binary: () => Buffer.concat([page.binary(), messageField(field, Buffer.from(newerPageToken))]),
  });
}
