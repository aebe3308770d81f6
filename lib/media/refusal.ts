/**
 * Why bytes are not the media that they were said to be. Each is a stable word of the interface: it becomes the failure of the
 * media, and the RFC 9457 type.
 */
export type Reason =
  | "not-an-image"
  | "image-too-large"
  | "not-a-video"
  | "video-too-large"
  | "too-long"
  | "not-audio"
  | "too-costly";

/** Thrown where the bytes are at fault; anything else that is thrown is ours. */
export class Refusal extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string) {
    super(message);
    this.name = "Refusal";
    this.reason = reason;
  }
}
