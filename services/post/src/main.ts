import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { ShareKind } from "#gen/skein/post/v1/events_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { PollService } from "#gen/skein/post/v1/poll_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { broughtFacts } from "#lib/events/brought.ts";
import { host } from "#lib/mesh/serve.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { showPreviews } from "./consumer/preview.ts";
import { publishDue } from "./consumer.ts";
import { saversIn } from "./events/save.ts";
import { deltasOf, detachedIn, sharesIn } from "./events/share.ts";
import { changeOf } from "./events.ts";
import { contentHandlers } from "./handlers/contents.ts";
import { draftHandlers } from "./handlers/drafts.ts";
import { mentionHandlers } from "./handlers/mentions.ts";
import { pollHandlers } from "./handlers/polls.ts";
import { quoteHandlers } from "./handlers/quotes.ts";
import { repostHandlers } from "./handlers/reposts.ts";
import { saveHandlers } from "./handlers/saves.ts";
import { postHandlers } from "./handlers.ts";
import { ownReadModel } from "./read-model/own.ts";
import { postReadModel } from "./read-model.ts";
import { collectionStore } from "./store/collection.ts";
import { draftStore } from "./store/draft.ts";
import { mentionStore } from "./store/mention.ts";
import { ownMarks } from "./store/own.ts";
import { pollStore } from "./store/poll.ts";
import { previewStore } from "./store/preview.ts";
import { saveStore } from "./store/save.ts";
import { foldShareCounts } from "./store/share.ts";
import { postStore } from "./store.ts";

const service = await openService("post", config);
const { db, redis, readers, log } = service;

const publishing = { previews: config.previews === "on" };
const media = service.client(MediaService);
const store = postStore(db, publishing);
const readModel = postReadModel({ redis, store, readers, log });
const told = postReadModel({ redis, store: postStore(db.background, publishing), readers, log });
const own = ownReadModel({ redis, db, log });
const toldOwn = ownReadModel({ redis, db: db.background, log });
const brought = broughtFacts(redis.since);
const relay = service.relay({
  fold: foldShareCounts,
  project: async (events) => {
    const shares = sharesIn(events);
    await told.catchUp(
      brought
        .left(events)
        .map(changeOf)
        .filter((change) => change !== undefined),
      [...deltasOf(events).map(({ postId }) => postId), ...detachedIn(shares)],
    );
    const reposters = shares.filter(({ kind }) => kind === ShareKind.REPOST).map(({ userId }) => userId);
    await toldOwn.catchUp([...new Set([...saversIn(events), ...reposters])]);
  },
});

const standings = standingReader(redis, service.client(GraphService));
const { nudge } = relay;
const shared = {
  readModel,
  own,
  standings,
  users: service.client(UserService),
  media,
  pageTokens: pageTokens(config.cursorKey),
  brought,
  nudge,
};
const scheduled = publishDue({
  drafts: draftStore(db.background, publishing),
  readModel,
  standings,
  leases: service.leases("schedule"),
  nudge,
  log,
});
const previewed = showPreviews({
  previews: previewStore(db.background),
  media,
  readModel,
  leases: service.leases("preview"),
  nudge,
  log,
});

const saving = {
  ...shared,
  store: saveStore(db),
  collections: collectionStore(db),
  marks: (userId: bigint, postIds: readonly bigint[]) => ownMarks(db, userId, postIds),
};

await service.run(
  [
    host(PostService, postHandlers({ db, store, ...shared })),
    host(ContentService, contentHandlers(db)),
    host(RepostService, repostHandlers({ db, store, ...shared })),
    host(QuoteService, quoteHandlers({ db, store, ...shared })),
    host(DraftService, draftHandlers({ drafts: draftStore(db, publishing), ...shared })),
    host(PollService, pollHandlers({ polls: pollStore(db), store, readModel, standings })),
    host(SaveService, saveHandlers(saving)),
    host(MentionService, mentionHandlers({ ...shared, store: mentionStore(db) })),
  ],
  publishing.previews ? [scheduled, previewed] : [scheduled],
);
