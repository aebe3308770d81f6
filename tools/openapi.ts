//! Writes the OpenAPI document of the JSON door from the contracts: `node tools/openapi.ts <contracts.binpb> <openapi.yaml>`.
//! `npm run gen` runs it as a process of its own, so that it reads what was just generated.

import { readFileSync, writeFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { documentOf } from "./openapi/document.ts";
import { yamlOf } from "./openapi/yaml.ts";

const [contracts = "", out = ""] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(contracts)));
const files = [...registry.files].filter(({ proto }) => proto.package === "skein.api.v1");
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
writeFileSync(
  out,
  `# Written by npm run gen from proto/skein/api/v1; not edited by hand.\n${yamlOf(documentOf(files, version))}`,
);
