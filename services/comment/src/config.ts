import { serviceConfig } from "#lib/mesh/config.ts";

export const config = serviceConfig(process.env);
