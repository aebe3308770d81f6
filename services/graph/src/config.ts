import { serviceConfig } from "#lib/mesh/config.ts";

/** Whom one account may follow at most: a feed's follow set stays a few dozen kilobytes. */
export const followsMax = 5_000;

export const config = serviceConfig(process.env);
