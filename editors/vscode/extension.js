// Starts `qnnc lsp` and connects the editor with it.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const [command, ...args] = workspace.getConfiguration("qnn").get("command");
  client = new LanguageClient("qnn", "qnn", { command, args }, { documentSelector: [{ scheme: "file", language: "qnn" }] });
  return client.start();
};

exports.deactivate = () => client?.stop();
