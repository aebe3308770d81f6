import { serviceConfig, word } from "#lib/mesh/config.ts";

export const config = {
  ...serviceConfig(process.env),
  /** Whether the links of posts get previews, which media fetches from the web. */
  previews: word(process.env, "PREVIEWS", ["on", "off"], "on"),
};
