import { exitCodeOf } from "../tools/cli.ts";
import { exitCodes } from "../tools/servers/failure.ts";
import { help, readOptions } from "./suite/options.ts";
import { profiles } from "./suite/profiles.ts";
import { readResult, save, tableOf } from "./suite/report.ts";
import { runSuite } from "./suite/run.ts";

process.exitCode = await exitCodeOf("bench", main);

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return exitCodes.ok;
  }
  const earlier = options.compare === undefined ? undefined : readResult(options.compare);
  const result = await runSuite(options);
  if (options.save) console.error(`kept in ${save(result)}`);
  console.log(options.json ? JSON.stringify(result) : tableOf(result, earlier));
  const isRight = result.rows.every(
    ({ profile, failed, wrong, missing, stale }) =>
      wrong + missing + stale === 0 && (failed === 0 || profiles[profile]?.mayFail === true),
  );
  return isRight ? exitCodes.ok : exitCodes.failed;
}
