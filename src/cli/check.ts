// `qnnc check`: reads the network, types every value, proves every range; writes nothing. With --watch again after every change.
import { typeModel } from "../compile.js";
import type { Handler } from "./commands.js";
import { watching } from "./commands-qnn/watch.js";
import { optionsOf, readSource } from "./source.js";

const checkOnce: Handler = async (args, session) => {
  const options = optionsOf(args, session);
  const source = await readSource(args, session);
  const typed = source && (await typeModel(source, options, session.reporter));
  if (typed) session.say(`${source.model}: ${typed.graph.layers.length} layers, no errors`);
};

export const check: Handler = (args, session) => (args.flag("watch") ? watching(checkOnce) : checkOnce)(args, session);
