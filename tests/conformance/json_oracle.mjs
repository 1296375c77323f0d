// Checks json.tsv against JSON.parse. Usage: node json_oracle.mjs [TABLE]
//
// JSON.parse is a second opinion on the grammar. It differs from flexd on purpose in three things:
// it has no depth limit, takes the last of two equal names, and is given text, so that UTF-8 is
// checked here by a strict TextDecoder.
import { readFileSync } from 'node:fs';

const table = process.argv[2] ?? new URL('json.tsv', import.meta.url);

function bytesOf(field) {
  const nested = /^@(\w+):(\d+)$/.exec(field);
  if (nested) return Buffer.from(nest(nested[1], Number(nested[2])));
  const out = [];
  for (let i = 0; i < field.length; ++i) {
    if (field[i] !== '\\') out.push(field.charCodeAt(i));
    else if (field[i + 1] === '\\') out.push(0x5c), (i += 1);
    else out.push(parseInt(field.slice(i + 2, i + 4), 16)), (i += 3);
  }
  return Buffer.from(out);
}

function nest(kind, count) {
  if (kind === 'open') return '{"a":' + '['.repeat(count - 1);
  if (kind === 'top') return '['.repeat(count) + ']'.repeat(count);
  let open = '{"a":';
  let close = '}';
  for (let level = 1; level < count; ++level) {
    const object = kind === 'object' || (kind === 'mixed' && level % 2 === 0);
    open += object ? '{"a":' : '[';
    close = (object ? '}' : ']') + close;
  }
  return open + '1' + close;
}

function verdict(bytes) {
  let value;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return 'invalid_json';
  }
  const object = value !== null && typeof value === 'object' && !Array.isArray(value);
  return object ? 'ok' : 'invalid_body';
}

function agrees(expected, said, field) {
  if (expected.startsWith('duplicate:')) return said === 'ok';
  if (expected === 'depth') return said !== 'invalid_json' || field.startsWith('@open:');
  return said === expected;
}

let cases = 0;
let failures = 0;
for (const line of readFileSync(table, 'latin1').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  const [id, field, expected] = line.split('\t');
  const said = verdict(bytesOf(field));
  cases += 1;
  if (agrees(expected, said, field)) continue;
  failures += 1;
  console.error(`${id}: the table says ${expected}, JSON.parse says ${said}`);
}
console.log(`${cases} cases, ${failures} disagreements`);
if (cases < 120 || failures > 0) process.exit(1);
