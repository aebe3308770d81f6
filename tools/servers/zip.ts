import { readFile } from "node:fs/promises";
import { inflateRawSync } from "node:zlib";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
/** The end record is 22 bytes and a comment of at most 65,535. */
const endSearchBytes = 22 + 65_535;
const storedMethod = 0;

/** One file out of a zip (a wheel is one), without a program for it. */
export async function fileFromZip(zipFile: string, name: string): Promise<Buffer> {
  const zip = await readFile(zipFile);
  const end = zip.lastIndexOf(uint32(endSignature), zip.length);
  if (end < 0 || end < zip.length - endSearchBytes) throw new Error(`${zipFile} is not a zip`);
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < count && zip.readUInt32LE(at) === entrySignature; index++) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString("utf8", at + 46, at + 46 + nameLength) === name) return content(zip, at);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`${name} is not in ${zipFile}`);
}

function content(zip: Buffer, entry: number): Buffer {
  const method = zip.readUInt16LE(entry + 10);
  const sizeBytes = zip.readUInt32LE(entry + 20);
  const header = zip.readUInt32LE(entry + 42);
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const bytes = zip.subarray(start, start + sizeBytes);
  return method === storedMethod ? bytes : inflateRawSync(bytes);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
