import type { DescEnum, DescField, DescFile, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";

type Commented = DescMessage | DescEnum | DescField | DescService | DescMethod;

/** The comment above a declaration, as one paragraph; undefined where there is none. */
export function commentOf(desc: Commented): string | undefined {
  const path = pathOf(desc).join(".");
  const locations = fileOf(desc).proto.sourceCodeInfo?.location ?? [];
  const text = locations.find((location) => location.path.join(".") === path)?.leadingComments;
  return text?.trim().replace(/\s*\n\s*/g, " ") || undefined;
}

/** The first sentence, without its full stop. */
export const summaryOf = (comment: string): string => comment.split(/\.(?:\s|$)/)[0] ?? comment;

const fileOf = (desc: Commented): DescFile =>
  desc.kind === "field" || desc.kind === "rpc" ? desc.parent.file : desc.file;

/** Where descriptor.proto has it: 4 messages, 5 enums, 6 services of a file; 2 the fields or methods of those. */
function pathOf(desc: Commented): number[] {
  switch (desc.kind) {
    case "message":
      return [4, desc.file.messages.indexOf(desc)];
    case "enum":
      return [5, desc.file.enums.indexOf(desc)];
    case "service":
      return [6, desc.file.services.indexOf(desc)];
    case "field":
      return [...pathOf(desc.parent), 2, desc.parent.fields.indexOf(desc)];
    case "rpc":
      return [...pathOf(desc.parent), 2, desc.parent.methods.indexOf(desc)];
  }
}
