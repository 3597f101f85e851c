// `qnnc completion`: the script that makes bash and zsh complete commands and flags.
import yargs from "yargs";
import type { Handler } from "./commands.js";

export const completion: Handler = async () => {
  yargs([]).scriptName("qnnc").showCompletionScript();
};
