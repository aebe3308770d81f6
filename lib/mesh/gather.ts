import type { DescMessage, DescMethodUnary, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, Transport, UnaryResponse } from "@connectrpc/connect";
import type { BatchedAnswer } from "#gen/skein/mesh/v1/batch_pb.ts";
import { type BatchResponse, callsMax } from "./batch.ts";
import { type Call, callOf, onBehalfOfNobody, timeLeftMs } from "./call.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { explain } from "./errors.ts";
import { hear } from "./facts.ts";
import { calledRpc } from "./rpc-metrics.ts";
import { fromStatusMessage, isUnavailable } from "./status.ts";

/** Batches of one RPC that a process has under way; while they are, further calls gather. */
const underWayMax = 2;
/** A batch that takes longer no longer keeps the next one from leaving. */
const turnMs = 25;
/** Calls that gather; beyond them each goes alone. */
const gatheredMax = 512;
/** Who has less time left goes alone, so that a batch need not hurry for one of its calls. */
const timeMinMs = 1_000;

/** A call that gathers with others. */
type Gathered = {
  readonly call: Call;
  readonly input: MessageInitShape<DescMessage>;
  readonly alone: () => Promise<UnaryResponse>;
  readonly resolve: (answer: UnaryResponse | Promise<UnaryResponse>) => void;
  readonly reject: (reason: unknown) => void;
};

type Parts = {
  readonly method: DescMethodUnary;
  /** The batch of it. */
  readonly together: DescMethodUnary;
  readonly unary: Transport["unary"];
  /** The token of a call. */
  readonly mint: (call: Call) => string;
  /** A message as the transport answers it. */
  readonly envelope: (message: Message) => UnaryResponse;
};

/**
 * Calls of one RPC whose service takes them together. A call leaves at the end of the turn of the event loop it came in, with
 * whatever came in the same turn; while two batches are under way, what comes gathers for the next. So one call at a time is as
 * fast as ever, and many share the price of one. What has to be seen by itself goes alone: a trace that is sampled, a read after
 * a write of one's own, a call in a hurry.
 */
export function gathering(parts: Parts) {
  const send = sending(parts);
  const waiting: Gathered[] = [];
  let underWay = 0;
  let isDue = false;

  const due = (): void => {
    if (isDue || waiting.length === 0 || underWay >= underWayMax) return;
    isDue = true;
    setImmediate(leave);
  };
  const leave = (): void => {
    isDue = false;
    while (waiting.length > 0 && underWay < underWayMax) takeTurn(send(waiting.splice(0, callsMax)));
  };
  /** The next batch may leave when this one is back, or has taken its time. */
  const takeTurn = (done: Promise<void>): void => {
    underWay++;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      underWay--;
      due();
    };
    const timer = setTimeout(over, turnMs);
    void done.then(over);
  };

  return (input: Gathered["input"], values: ContextValues, alone: Gathered["alone"]): Promise<UnaryResponse> => {
    const call = callOf({ values });
    const isApart = call.after !== undefined || call.work?.isSampled === true || timeLeftMs(call) < timeMinMs;
    if (isApart || waiting.length >= gatheredMax) return alone();
    return new Promise((resolve, reject) => {
      waiting.push({ call, input, alone, resolve, reject });
      due();
    });
  };
}

/** Sends calls, several as a batch; resolves when all have their answer, and never rejects. */
function sending({ method, together, unary, mint, envelope }: Parts) {
  const called = calledRpc(method);

  async function send(gathered: readonly Gathered[]): Promise<void> {
    const sent = gathered.filter(hasTime);
    const [first] = sent;
    if (first === undefined) return;
    if (sent.length === 1) return await goAlone(first);
    let answers: readonly BatchedAnswer[];
    try {
      const calls = sent.map(({ call, input }) => ({
        token: mint(call),
        timeoutMs: Math.max(1, call.deadline - Date.now()),
        requestId: call.requestId,
        traceparent: call.traceparent,
        tracestate: call.work?.tracestate ?? "",
        request: encode(method.input, input),
      }));
      const { contextValues } = onBehalfOfNobody("", Math.min(...calls.map(({ timeoutMs }) => timeoutMs)));
      const { message } = await unary(
        together,
        undefined,
        undefined,
        undefined,
        { calls } as Record<string, unknown>,
        contextValues,
      );
      answers = (message as unknown as BatchResponse).answers;
    } catch (reason) {
      // Who was away was asked twice already, by the proxy or the transport. Anything else may be the fault of one of them.
      for (const one of sent) {
        if (isUnavailable(reason)) one.reject(reason);
        else void goAlone(one);
      }
      return;
    }
    for (const [nth, one] of sent.entries()) {
      try {
        take(one, answers[nth]);
      } catch (reason) {
        one.reject(reason); // Its answer cannot be read. It was done, so it is not asked again.
      }
    }
  }

  function take(one: Gathered, answer: BatchedAnswer | undefined): void {
    if (answer?.kept === true) one.call.work?.keep();
    if (answer?.told && one.call.told !== undefined) hear(one.call.told, answer.told);
    if (answer?.result.case === "response") {
      called(undefined);
      one.resolve(envelope(decode(method.output, answer.result.value)));
    } else if (answer?.result.case === "error") {
      const err = fromStatusMessage(answer.result.value);
      // The proxy sees a batch that was answered: alone, the call is tried at another replica, and counts against this one.
      if (isUnavailable(err) && explain(err).reason !== "overloaded") return void goAlone(one);
      called(err.code);
      one.reject(err);
    } else void goAlone(one);
  }

  return send;
}

function hasTime({ call, reject }: Gathered): boolean {
  try {
    return timeLeftMs(call) > 0;
  } catch (reason) {
    reject(reason);
    return false;
  }
}

const goAlone = ({ alone, resolve }: Gathered): Promise<void> => {
  const answer = alone();
  resolve(answer);
  return answer.then(
    () => {},
    () => {},
  );
};
