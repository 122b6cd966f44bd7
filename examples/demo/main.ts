/**
 * Shows a pattern at work on real sockets while its processes are killed: `npm run demo -- NAME`.
 */
import process from "node:process";

/** Each is a file here whose `demo()` ends by itself and says whether every request was answered. */
const demos: readonly string[] = ["simple-pirate", "majordomo"];

const [name = "simple-pirate"] = process.argv.slice(2);
if (!demos.includes(name)) {
  console.error(`There is no demo "${name}". There are: ${demos.join(", ")}`);
  process.exit(2);
}
const { demo } = await import(`./${name}.ts`) as { demo(): Promise<boolean> };
process.exitCode = await demo() ? 0 : 1;
