import type { ServiceImpl } from "@connectrpc/connect";
import type { PollService } from "#gen/skein/api/v1/poll_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { pollView } from "../view/poll.ts";
import { postIdOf } from "./ids.ts";

export function pollRoutes(clients: Pick<Clients, "post">): ServiceImpl<typeof PollService> {
  return {
    async vote({ post: id, options }, ctx) {
      const { post, state } = await clients.post.vote({ postId: postIdOf(id), options }, within(ctx));
      if (post === undefined) throw notFound("post");
      return { poll: pollView(post, state) };
    },
  };
}
