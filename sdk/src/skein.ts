import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AccountService } from "#gen/skein/api/v1/account_pb.ts";
import { ActivityService } from "#gen/skein/api/v1/activity_pb.ts";
import { AuthService } from "#gen/skein/api/v1/auth_pb.ts";
import { CommentService } from "#gen/skein/api/v1/comment_pb.ts";
import { DraftService } from "#gen/skein/api/v1/draft_pb.ts";
import { FeedService } from "#gen/skein/api/v1/feed_pb.ts";
import { LikeService } from "#gen/skein/api/v1/like_pb.ts";
import { ListService } from "#gen/skein/api/v1/list_pb.ts";
import { MediaService } from "#gen/skein/api/v1/media_pb.ts";
import { MuteService } from "#gen/skein/api/v1/mute_pb.ts";
import { PollService } from "#gen/skein/api/v1/poll_pb.ts";
import { PostService } from "#gen/skein/api/v1/post_pb.ts";
import { RelationService } from "#gen/skein/api/v1/relation_pb.ts";
import { RepostService } from "#gen/skein/api/v1/repost_pb.ts";
import type { Media } from "#gen/skein/api/v1/resources_pb.ts";
import { SaveService } from "#gen/skein/api/v1/save_pb.ts";
import { UserService } from "#gen/skein/api/v1/user_pb.ts";
import { carrying, type Token } from "./call.ts";
import { listsOf } from "./lists.ts";
import { type Upload, upload } from "./upload.ts";

export type Options = {
  /** Where the API is: `https://skein.example`. */
  readonly baseUrl: string;
  /** An access token, or what answers one; absent where nobody is signed in, or cookies say who is. */
  readonly token?: Token;
  /** Sends cookies along, also to another origin (browsers). */
  readonly cookies?: boolean;
  /** Stands in for the global one. */
  readonly fetch?: typeof globalThis.fetch;
};

/** A client of the API, for one person or nobody. */
export type Skein = ReturnType<typeof createSkein>;

/**
 * Opens a client. Every RPC of the contract is here, typed; each call carries the token, a key where it makes something (the same
 * at every try), and what this client has seen. Calls fail with a SkeinError. Connects when it is first needed.
 */
export function createSkein({ baseUrl, token, cookies = false, fetch: given }: Options) {
  let current: Token = token;
  const fetch: typeof globalThis.fetch = (input, init) =>
    (given ?? globalThis.fetch)(input, { ...init, ...(cookies && { credentials: "include" }) });
  const transport = createConnectTransport({
    baseUrl,
    fetch,
    useBinaryFormat: true,
    interceptors: [carrying({ token: () => current, wait })],
  });
  const client = <S extends DescService>(desc: S): Client<S> => createClient(desc, transport);
  const [feed, posts, comments, media] = [
    client(FeedService),
    client(PostService),
    client(CommentService),
    client(MediaService),
  ];

  return {
    account: client(AccountService),
    activity: client(ActivityService),
    auth: client(AuthService),
    comments,
    drafts: client(DraftService),
    feed,
    likes: client(LikeService),
    lists: client(ListService),
    media,
    mutes: client(MuteService),
    posts,
    relations: client(RelationService),
    polls: client(PollService),
    reposts: client(RepostService),
    saves: client(SaveService),
    users: client(UserService),

    /** Says who calls from now on; undefined is nobody. */
    signIn(next: Token): void {
      current = next;
    },

    /** Uploads media, in parts that are sent again where they were cut, and answers it when it is ready. */
    upload: (what: Upload): Promise<Media> => upload({ media, baseUrl, fetch, wait }, what),

    ...listsOf({ feed, posts, comments }),
  };
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
