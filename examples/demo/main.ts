/**
 * Shows a pattern at work on real sockets while its processes are killed: `npm run demo`.
 */
import process from "node:process";
import { freelanceDemo } from "./freelance.ts";
import { binaryStar } from "./binary-star.ts";
import { simplePirate } from "./simple-pirate.ts";
import { titanic } from "./titanic.ts";

/** Each ends by itself and says whether every request was answered. */
const demos: Readonly<Record<string, () => Promise<boolean>>> = {
  "freelance": freelanceDemo,
  "simple-pirate": simplePirate,
  "binary-star": binaryStar,
  "titanic": titanic,
};

const [name = "simple-pirate"] = process.argv.slice(2);
const demo = demos[name];
if (demo === undefined) {
  console.error(`There is no demo "${name}". There are: ${Object.keys(demos).join(", ")}`);
  process.exit(2);
}
process.exitCode = await demo() ? 0 : 1;
