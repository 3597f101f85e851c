// The `.keras` archive and the HDF5 reader: what they give, and that damaged or hostile files give one coded diagnostic.
import { zipSync } from "fflate";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { archiveLimits, readArchive } from "../src/frontend/keras/archive.js";
import { type H5Group, hdf5Limits, readHdf5 } from "../src/frontend/keras/hdf5.js";
import { snakeCase } from "../src/frontend/keras/weights.js";
import { golden, goldenList, hasGolden, skip } from "./support/golden.js";
import { hdf5, oracle } from "./support/hdf5.js";
import { fullTier } from "./support/tools.js";

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const CONFIG = text('{"class_name": "Sequential", "config": {"name": "m", "layers": []}}');

const a = suite("keras archive");

const open = (bytes: Uint8Array, limits = archiveLimits) => {
  const reporter = new Reporter();
  return { archive: readArchive(bytes, "m.keras", reporter, limits), diagnostics: reporter.diagnostics };
};
const refused = (bytes: Uint8Array, message: RegExp, limits = archiveLimits): void => {
  const { archive, diagnostics } = open(bytes, limits);
  assert.is(archive, undefined);
  assert.is(diagnostics.length, 1);
  assert.is(diagnostics[0]!.code, "QN104");
  assert.match(diagnostics[0]!.message, message);
};
const edited = (bytes: Uint8Array, edit: (view: DataView, bytes: Uint8Array) => void): Uint8Array => {
  const copy = bytes.slice();
  edit(new DataView(copy.buffer), copy);
  return copy;
};
/** Offset of the first central directory entry. */
const central = (view: DataView): number => view.getUint32(view.byteLength - 6, true);

const good = zipSync({
  "config.json": [CONFIG, { level: 9 }],
  "metadata.json": text("{}"),
  "model.weights.h5": [new Uint8Array(500), { level: 0 }],
});

a("gives the three files", () => {
  const { archive } = open(good);
  assert.equal(archive!.config, CONFIG);
  assert.equal(archive!.metadata, text("{}"));
  assert.is(archive!.weights!.length, 500);
});

a("ignores assets and refuses an archive without config.json", () => {
  assert.ok(open(zipSync({ "config.json": CONFIG, "assets/vocabulary.txt": text("a") })).archive);
  refused(zipSync({ "model.weights.h5": text("x") }), /no config.json/);
});

a("truncation at every byte is refused", () => {
  for (let n = 0; n < good.length; n++) assert.is(open(good.subarray(0, n)).archive, undefined, `${n} bytes`);
});

a("no flipped byte crashes it, and none changes a file's content", () => {
  for (let i = 0; i < good.length; i++) {
    const { archive } = open(edited(good, (_, b) => void (b[i]! ^= 0x55)));
    if (archive) assert.equal(archive.config, CONFIG, `byte ${i}`);
  }
});

a("hostile entries", () => {
  for (const name of ["../config.json", "/etc/passwd", "a/../../b", "C:\\x", "a\\b"])
    refused(zipSync({ "config.json": CONFIG, [name]: text("x") }), /outside the archive/);
  refused(zipSync({ "config.json": CONFIG, "CONFIG.json": CONFIG }), /twice/);
  refused(zipSync({ "config.json": [new Uint8Array(4 << 20), { level: 9 }] }), /times its size|claims|damaged|checksum/, {
    ...archiveLimits,
    ratio: 100,
  });
  refused(zipSync({ "config.json": [new Uint8Array(4 << 20), { level: 9 }] }), /unpacks to more/, { ...archiveLimits, unpacked: 1 << 20 });
  refused(zipSync(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, text("x")]))), /50 entries/, {
    ...archiveLimits,
    entries: 49,
  });
  refused(good, /bytes; the limit/, { ...archiveLimits, bytes: 10 });
});

a("headers that lie", () => {
  refused(
    edited(good, (v) => v.setUint16(central(v) + 8, 1, true)),
    /encrypted/,
  );
  refused(
    edited(good, (v) => v.setUint32(central(v) + 38, 0xa1ff0000, true)),
    /symbolic link/,
  );
  refused(
    edited(good, (v) => v.setUint32(central(v) + 16, 1, true)),
    /checksum/,
  );
  refused(
    edited(good, (v) => v.setUint32(central(v) + 24, CONFIG.length + 1, true)),
    /damaged/,
  );
  refused(
    edited(good, (v) => v.setUint32(central(v) + 24, 0xfffffff0, true)),
    /unpacks|times/,
  );
  refused(
    edited(good, (v) => v.setUint16(central(v) + 10, 12, true)),
    /contradict/,
  );
  refused(
    edited(good, (v) => v.setUint32(central(v) + 42, 1, true)),
    /damaged|overlap/,
  );
  refused(
    edited(good, (v) => v.setUint16(v.byteLength - 12, 0xffff, true)),
    /zip64/,
  );
  refused(
    edited(good, (v) => v.setUint16(v.byteLength - 12, 2, true)),
    /no entry owns/,
  );
  refused(Uint8Array.from([...good, 1, 2, 3]), /no end record/);
  refused(Uint8Array.from([1, 2, 3, ...good]), /directory is not where/);
});

const h = suite("keras hdf5");

const read = (bytes: Uint8Array, limits = hdf5Limits) => {
  const reporter = new Reporter();
  return { root: readHdf5(bytes, "w.h5", reporter, limits), diagnostics: reporter.diagnostics };
};
const refusedH5 = (bytes: Uint8Array, message: RegExp, limits = hdf5Limits): void => {
  const { root, diagnostics } = read(bytes, limits);
  assert.is(root, undefined, String(message));
  assert.is(diagnostics.length, 1);
  assert.is(diagnostics[0]!.code, "QN103");
  assert.match(diagnostics[0]!.message, message);
};

/** The tree in the oracle's form. */
function flat(root: H5Group): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const walk = (group: H5Group, path: string): void => {
    for (const [name, value] of group.attributes) found.set(`${path}@${name}`, value);
    for (const [key, child] of group.children) {
      if (child.kind === "group") walk(child, `${path}/${key}`);
      else found.set(`${path}/${key}`, { shape: child.shape, value: child.values });
    }
  };
  walk(root, "");
  return found;
}

const plain = (v: unknown): unknown =>
  typeof v === "bigint" ? Number(v) : ArrayBuffer.isView(v) ? Array.from(v as unknown as ArrayLike<number | bigint>, Number) : v;

/** What both readers give must be equal; the C library may give more (optimizer state, types that no weight has). */
async function agrees(bytes: Uint8Array, what: string): Promise<number> {
  const { root, diagnostics } = read(bytes);
  assert.ok(root, `${what}: ${diagnostics[0]?.message}`);
  const mine = flat(root);
  let compared = 0;
  for (const [path, value] of await oracle(bytes)) {
    if (/^\/(optimizer|optimizer_weights)(\/|@|$)/.test(path)) continue;
    const got = mine.get(path) as { value?: unknown; shape?: unknown } | undefined;
    const want = value as { value?: unknown; shape?: unknown };
    if (path.includes("@")) {
      if (got !== undefined) assert.equal(plain(got), plain(want), `${what} ${path}`);
      else assert.not.type(want, "string", `${what} ${path}`);
    } else {
      assert.equal(got?.shape, want.shape, `${what} ${path}`);
      if (got?.value !== undefined) assert.equal(plain(got.value), [plain(want.value)].flat(), `${what} ${path}`);
    }
    compared++;
  }
  return compared;
}

const sample = await hdf5((file) => {
  file.create_attribute("text", "hello");
  file.create_attribute("list", ["a", "bc"]);
  file.create_attribute("number", 2.5);
  const g = file.create_group("g");
  g.create_dataset({ name: "f32", data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
  g.create_dataset({ name: "f64", data: Float64Array.of(0.1) });
  g.create_dataset({ name: "i32", data: Int32Array.of(-7, 8) });
  g.create_dataset({ name: "u8", data: Uint8Array.of(255) });
  g.create_dataset({ name: "i64", data: BigInt64Array.of(9n) });
  // More than 8 links in a group and the C library changes to a storage that h5py's defaults never use.
  const k = file.create_group("k");
  k.create_dataset({ name: "text", data: ["x", "y"] });
  k.create_dataset({
    name: "packed",
    data: Float32Array.from({ length: 1000 }, (_, i) => i),
    shape: [1000],
    chunks: [130],
    compression: 4,
  });
  k.create_dataset({
    name: "tiles",
    data: Float64Array.from({ length: 210 }, (_, i) => i * i),
    shape: [5, 6, 7],
    chunks: [2, 4, 3],
    compression: 9,
  });
  k.create_dataset({
    name: "shuffled",
    data: Float32Array.from({ length: 100 }, (_, i) => i / 3),
    shape: [100],
    chunks: [30],
    compression: 2,
    compression_opts: [4],
  });
  k.create_dataset({
    name: "checked",
    data: Int16Array.from({ length: 100 }, (_, i) => i - 50),
    shape: [100],
    chunks: [100],
    compression: 3,
    compression_opts: [],
  });
  k.create_group("a").create_group("b");
  file.create_group("optimizer_weights").create_group("secret");
});

h("gives groups, attributes and numbers; optimizer state is left out", async () => {
  const { root, diagnostics } = read(sample);
  assert.equal(diagnostics, []);
  assert.equal(Object.fromEntries(root!.attributes), { text: "hello", list: ["a", "bc"], number: 2.5 });
  assert.equal([...root!.children.keys()].sort(), ["g", "k"]);
  assert.ok((await agrees(sample, "sample")) > 10);
});

h("agrees with the HDF5 C library on every Keras file of the golden sets", async () => {
  if (!hasGolden) return skip("hdf5 against the C library: ../shared/golden is absent");
  let [files, compared] = [0, 0];
  for (const set of ["models", "random-qkeras", "random-keras2", "random-keras3", "random-hgq2"]) {
    for (const dir of goldenList(set)) {
      for (const name of goldenList(`${set}/${dir}`)) {
        if (!/\.(?:h5|keras)$/.test(name)) continue;
        const bytes = golden(`${set}/${dir}/${name}`)!;
        const h5 = name.endsWith(".h5") ? bytes : readArchive(bytes, name, new Reporter())!.weights!;
        compared += await agrees(h5, `${set}/${dir}/${name}`);
        files++;
      }
    }
  }
  assert.ok(files > 100 && compared > 2000, `${files} files, ${compared} values`);
});

h("truncation at 200 offsets gives one QN103 each", () => {
  for (let i = 0; i < 200; i++) refusedH5(sample.subarray(0, Math.floor((sample.length * i) / 200)), /./);
});

h("random byte flips neither crash nor hang it", () => {
  let state = 7;
  const next = (n: number): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n;
  for (let i = 0; i < (fullTier ? 2000 : 200); i++) {
    const damaged = sample.slice();
    // Half of the flips go to the first kilobytes, where the structure is.
    for (let k = 0; k <= next(8); k++) damaged[next(next(2) ? damaged.length : 2048)] = next(256);
    const start = performance.now();
    const { root, diagnostics } = read(damaged);
    assert.is(diagnostics.length, root ? 0 : 1);
    assert.ok(performance.now() - start < 2000, `flip ${i} took ${performance.now() - start} ms`);
  }
});

h("links out of the file and link cycles are refused", async () => {
  refusedH5(await hdf5((f) => void f.create_external_link("/etc/passwd", "/x", "kernel")), /link into another file/);
  refusedH5(await hdf5((f) => void f.create_group("a").create_hard_link("/a", "again")), /linked twice/);
  assert.ok(read(await hdf5((f) => void f.create_soft_link("/nowhere", "broken"))).root);
  assert.ok(read(await hdf5((f) => void f.create_group("a").create_soft_link("/a", "again"))).root);
});

h("a file whose blocks refer to one another many times is refused quickly", async () => {
  // One string of the heap, 4,000 times over: its address and index are copied into every slot of the list.
  const bytes = await hdf5(
    (f) =>
      void f.create_attribute(
        "list",
        Array.from({ length: 4000 }, (_, i) => (i === 0 ? "x".repeat(60_000) : "y")),
        null,
        "S",
      ),
  );
  const view = new DataView(bytes.buffer);
  const first = [...Array(bytes.length - 16).keys()].find((p) => view.getUint32(p, true) === 60_000 && view.getUint32(p + 8, true) === 0);
  if (first === undefined) return skip("hdf5 string amplification: the C library stored the list otherwise");
  for (let i = 1; i < 4000; i++) bytes.copyWithin(first + i * 16, first, first + 16);
  const start = performance.now();
  refusedH5(bytes, /again and again/);
  assert.ok(performance.now() - start < 5000);
});

h("limits hold before data is read", async () => {
  refusedH5(sample, /bytes; the limit/, { ...hdf5Limits, bytes: 100 });
  refusedH5(sample, /elements/, { ...hdf5Limits, elements: 100 });
  refusedH5(sample, /objects/, { ...hdf5Limits, objects: 3 });
  const grown = (n: number) =>
    hdf5((f) => void f.create_dataset({ name: "d", data: Float32Array.of(1), shape: [1], maxshape: [null], chunks: [1] }).resize([n]));
  refusedH5(await grown(2 ** 40), /elements/);
  refusedH5(await grown(2 ** 25), /more than the file can hold/);
});

h("what is no HDF5 file is said to be none", () => {
  refusedH5(new Uint8Array(), /empty/);
  refusedH5(text("PK\u0003\u0004"), /signature/);
});

h("class names become folder names as in Keras", () => {
  assert.equal(["Dense", "QDense", "BatchNormalization", "ReLU", "QActivation", "Conv2D", "QConv2D", "InputLayer"].map(snakeCase), [
    "dense",
    "q_dense",
    "batch_normalization",
    "re_lu",
    "q_activation",
    "conv2d",
    "q_conv2d",
    "input_layer",
  ]);
});

a.run();
h.run();
