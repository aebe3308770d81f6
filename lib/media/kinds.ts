/** What media is to be: the words of the contract, in lower case, and the picture of a link's preview. */
export type MediaKind = "photo" | "video" | "reel" | "voice" | "audio" | "file" | "preview";

/** Media as it is kept: each variant is a file of its name in a directory. */
export type Prepared = {
  /** Pixels; 0 where it has no picture. */
  readonly width: number;
  readonly height: number;
  /** 0 where it does not last, or does not say how long. */
  readonly durationMs: number;
  /** https://blurha.sh; empty where it has no picture. */
  readonly blurhash: string;
  readonly variants: readonly { readonly name: string; readonly width: number; readonly height: number }[];
};
