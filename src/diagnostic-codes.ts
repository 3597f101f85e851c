// Every diagnostic code and what it stands for. Codes are never reused; spec/diagnostics.md explains each (a test compares).
export const codes = {
  // Files and containers
  QN100: "a file cannot be read",
  QN101: "the file's format is not one that qnnc reads",
  QN102: "the JSON text is malformed or exceeds a limit",
  QN103: "the HDF5 file is damaged or uses an unsupported feature",
  QN104: "the .keras archive is damaged or exceeds a limit",
  QN105: "the .npy or .npz file is damaged or of an unsupported type",
  QN106: "the weights file is missing",
  // The model
  QN200: "the model description does not have the expected form",
  QN201: "unknown or unsupported layer",
  QN202: "the layer would run code from the model file",
  QN203: "unknown or unsupported quantizer",
  QN204: "a quantizer's arguments are out of range",
  QN205: "unsupported activation",
  QN206: "a weight is missing",
  QN207: "a weight has the wrong shape",
  QN208: "a weight is not a finite number",
  QN209: "a shape is invalid or unknown",
  QN210: "the layers do not form an acyclic graph",
  QN211: "the named layer does not exist",
  QN212: "a layer option is not supported",
  QN213: "a limit on the model's size is exceeded",
  QN214: "the model has no layer that computes anything",
  QN215: "a duplicate name",
  // Types and precision
  QN300: "a fixed-point type is malformed",
  QN301: "a width is beyond what the backends hold",
  QN302: "a precision was chosen without data",
  QN303: "a value may overflow its type",
  QN304: "a weight does not fit its type",
  QN305: "operands do not fit the operation",
  // Options and usage
  QN400: "a flag or argument is unknown or has a bad value",
  QN401: "flags contradict one another",
  QN402: "the design cannot be scheduled as asked",
  QN403: "the design exceeds the limit on cells",
  QN404: "an output folder or file cannot be written",
  // Vectors
  QN500: "the test vectors do not fit the model",
  QN501: "input values lie outside the input type",
  QN502: "input values are not finite numbers",
  // Textual IR
  QN600: "the textual IR is malformed",
  QN601: "the textual IR contradicts its own types",
  // The .qnn language
  QN800: "the source text cannot be read or exceeds a limit",
  QN801: "a character that the language does not know, or a string that is not closed",
  QN802: "a syntax error",
  QN803: "an unknown name",
  QN804: "a name is defined twice",
  QN805: "a call does not match what it calls",
  QN806: "an argument of the wrong kind",
  QN807: "the shapes do not fit",
  QN808: "a value is never used",
  QN809: "a block or an include leads back to itself",
  QN810: "a path leads out of the project folder",
  QN811: "a number cannot be used here",
  QN812: "a setting is unknown or has a bad value",
  QN813: "the network is incomplete or has too many parts",
  QN814: "a setting has no effect yet",
  QN815: "a file is not laid out as `qnnc fmt` does",
  // Verification
  QN700: "two executions of the same network disagree",
} as const;

export type Code = keyof typeof codes;
