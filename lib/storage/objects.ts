import { diskObjects } from "./objects/disk.ts";
import type { Objects, ObjectsConfig } from "./objects/object.ts";
import { s3Objects } from "./objects/s3.ts";

export type { Objects } from "./objects/object.ts";

/** The store that the settings name. Waits for nothing. */
export const openObjects = (config: ObjectsConfig): Objects =>
  config.s3Endpoint === "" ? diskObjects(config) : s3Objects(config);
