export { MediaKind } from "#gen/skein/api/v1/resources_pb.ts";
export { SkeinError } from "./src/error.ts";
export { each, type Page } from "./src/pages.ts";
export { createSkein, type Options, type Skein } from "./src/skein.ts";
export type { Upload } from "./src/upload.ts";
