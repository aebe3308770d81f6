import type { Env } from "./command.ts";

/** One process the launcher keeps running. */
export type ProcessSpec = {
  name: string;
  version: string;
  /** Where it is reached, without secrets. */
  address: string;
  /** A second port, where gRPC is spoken. */
  grpcAddress?: string;
  file: string;
  args: readonly string[];
  env: Env;
  /** Where it tells how it is: http(s) answers 200, grpc answers SERVING. Absent: it is well while it runs. */
  healthUrl?: string;
  /** Where it shows its metrics, in Prometheus' text form. */
  metricsUrl?: string;
  /** Asked until true; `output` is what the process has written since it was started. */
  ready(output: string): Promise<boolean>;
  readyTimeoutMs: number;
  /** How long it may take to stop before it is killed. */
  stopTimeoutMs: number;
  /** Done before it is told to stop, such as refusing new connections. */
  beforeStop?(): Promise<void>;
};
