/** An Envoy extension's configuration: JSON that names its own message type. */
export const typed = (type: string, fields: object = {}): object => ({
  "@type": `type.googleapis.com/${type}`,
  ...fields,
});

/** A filter, matcher or tracer with its configuration. */
export const extension = (name: string, type: string, fields: object = {}): object => ({
  name,
  typed_config: typed(type, fields),
});
