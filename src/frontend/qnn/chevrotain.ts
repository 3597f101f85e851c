// chevrotain from its one bundled file where the package can be found: as hundreds of modules it takes ten times as long to load.
type Chevrotain = typeof import("chevrotain");

/** The bundle lies beside the modules; where nothing can be resolved, as inside another bundle, the modules serve as well. */
async function load(): Promise<Chevrotain> {
  try {
    return (await import(new URL("../chevrotain.min.mjs", import.meta.resolve("chevrotain")).href)) as Chevrotain;
  } catch {
    return import("chevrotain");
  }
}

export const { createToken, EmbeddedActionsParser, EOF, Lexer, tokenLabel } = await load();
