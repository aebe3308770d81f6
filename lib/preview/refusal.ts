/**
 * Why an address has no preview. `url-not-allowed`: it is none that we ask; `unusable`: what is there is nothing that makes one;
 * `away`: nobody answered, or not in time, so that it may have one later.
 */
export type Reason = "url-not-allowed" | "unusable" | "away";

/** Thrown where no preview can be had; anything else that is thrown is a bug of ours. */
export class NoPreview extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NoPreview";
    this.reason = reason;
  }
}
