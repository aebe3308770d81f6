import {
  createRegistry,
  type DescExtension,
  type DescFile,
  type DescService,
  type MessageInitShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createConnectRouter } from "@connectrpc/connect";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "#gen/grpc/reflection/v1/reflection_pb.ts";
import { routerOptions } from "./connect.ts";
import type { RpcHandler } from "./rpc-door.ts";
import { writeResponse } from "./write.ts";

type Response = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Server reflection: tells the contracts of these services, and of what they import, to whoever asks. */
export function reflectionHandlers(services: readonly DescService[]): Map<string, RpcHandler> {
  const files = withImports([...services, ServerReflection].map(({ file }) => file));
  const registry = createRegistry(...files);
  const router = createConnectRouter(routerOptions).service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request, services, files, registry),
        };
      }
    },
  });
  const handlers = router.handlers.map((handler): [string, RpcHandler] => [
    handler.requestPath,
    async ({ req, res }) => {
      const request = universalRequestFromNodeRequest(req, res, undefined, undefined);
      await writeResponse(await handler(request), res);
    },
  ]);
  return new Map(handlers);
}

/** Files with everything they import, each once, what is imported first. */
function withImports(files: readonly DescFile[]): DescFile[] {
  const known = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (known.has(file)) return;
    for (const imported of file.dependencies) add(imported);
    known.add(file);
  };
  for (const file of files) add(file);
  return [...known];
}

function answer(
  { messageRequest: asked }: ServerReflectionRequest,
  services: readonly DescService[],
  files: readonly DescFile[],
  registry: Registry,
): Response {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: [...services, ServerReflection].map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return told(files.find(({ proto }) => proto.name === asked.value));
    case "fileContainingSymbol":
      return told(fileOf(asked.value, registry));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      return told(extensionsOf(containingType, registry).find(({ number }) => number === extensionNumber)?.file);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = extensionsOf(asked.value, registry).map(({ number }) => number);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value, extensionNumber } };
    }
    default:
      return refused(Code.InvalidArgument, "ask something");
  }
}

/** The file of a message, an enum or a service, or of the service that a method belongs to. */
const fileOf = (symbol: string, registry: Registry): DescFile | undefined =>
  (registry.get(symbol) ?? registry.getService(symbol.slice(0, symbol.lastIndexOf("."))))?.file;

const extensionsOf = (typeName: string, registry: Registry): DescExtension[] =>
  [...registry].filter((desc) => desc.kind === "extension").filter(({ extendee }) => extendee.typeName === typeName);

/** A file with what it imports, so that one question is enough. */
function told(file: DescFile | undefined): Response {
  if (file === undefined) return refused(Code.NotFound, "no such file or symbol");
  const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: fileDescriptorProto.reverse() } };
}

const refused = (errorCode: Code, errorMessage: string): Response => ({
  case: "errorResponse",
  value: { errorCode, errorMessage },
});
