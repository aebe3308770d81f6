//! The load generator, in a process of its own: takes orders from its parent, one at a time.

import { drive, type Order } from "./drive.ts";

process.on("message", (order: Order) => {
  drive(order).then(
    (outcome) => process.send?.({ outcome }),
    (reason) => process.send?.({ failure: String(reason) }),
  );
});
process.on("disconnect", () => process.exit());
