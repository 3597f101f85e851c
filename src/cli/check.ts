// `qnnc check`: reads the network, types every value, proves every range; writes nothing.
import { typeModel } from "../compile.js";
import type { Handler } from "./commands.js";
import { optionsOf, readSource } from "./source.js";

export const check: Handler = async (args, session) => {
  const options = optionsOf(args, session);
  const source = readSource(args, session);
  const graph = source && (await typeModel(source, options, session.reporter));
  if (graph) session.say(`${source.model}: ${graph.layers.length} layers, no errors`);
};
