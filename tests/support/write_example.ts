// Writes lb.conf.example from the declarations of keys: `deno task example`.

import { exampleConfig } from "../../lib/config/example.ts";

await Deno.writeTextFile(new URL("../../lb.conf.example", import.meta.url), exampleConfig());
